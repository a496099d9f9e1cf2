"""Pipelines: the stages from test to health check, once; as GitHub and GitLab write them, or run here."""
