"""The dashboards, built with Grafana's own SDK; `python -m tests.deploy.dashboards` writes their files."""
