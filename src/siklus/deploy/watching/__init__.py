"""Those who watch: Prometheus, Alertmanager and Grafana, by the definitions of the built-in watch."""
