"""What the stack runs of others: images by their versions, each chosen with care and changed by hand."""

from msgspec import Struct

# The server's and its driver's are those of the loop; a test compares them with the lock.
MLFLOW = "3.17.2"
PSYCOPG = "3.3.9"
BOTO3 = "1.44.5"


class Images(Struct, frozen=True, kw_only=True):
    """A version names an image until its maker changes it; `docker compose config --resolve-image-digests`
    writes what nobody can change."""

    proxy: str = "haproxy:3.2.4-alpine"
    postgres: str = "postgres:17.6-bookworm"
    objects: str = "chrislusf/seaweedfs:4.43"
    prometheus: str = "prom/prometheus:v3.5.0"
    alertmanager: str = "prom/alertmanager:v0.28.1"
    grafana: str = "grafana/grafana:12.1.1"
    node_exporter: str = "prom/node-exporter:v1.9.1"
    cadvisor: str = "gcr.io/cadvisor/cadvisor:v0.52.1"
    mlflow: str = MLFLOW


IMAGES = Images()
