-- Runs once, when the volume is empty. POSTGRES_USER has made the database `siklus`: what was decided.
CREATE DATABASE mlflow;
