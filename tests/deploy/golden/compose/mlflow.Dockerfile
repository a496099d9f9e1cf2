# MLflow's server with the drivers for PostgreSQL and S3, which its own image lacks.
# Written by `siklus deploy compose`; the version is that of the client in the loop.
FROM python:3.11-slim-bookworm
RUN python -m venv --without-pip /srv/venv \
    && pip --python /srv/venv/bin/python install --no-cache-dir --only-binary=:all: \
        mlflow==3.17.2 "psycopg[binary]==3.3.9" boto3==1.44.5
ENV PATH=/srv/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
USER 10001:10001
EXPOSE 5000
# It answers to these names only, so that a web page somewhere cannot talk to it through somebody's browser.
CMD ["mlflow", "server", "--host=0.0.0.0", "--port=5000", "--workers=2", \
     "--backend-store-uri=postgresql+psycopg:///mlflow?service=siklus", \
     "--artifacts-destination=s3://mlflow", \
     "--allowed-hosts=mlflow:5000,localhost:*,127.0.0.1:*"]
