"""uvicorn's settings for an app whose connections are ours."""

from starlette.types import ASGIApp
from uvicorn.config import Config


def config_of(app: ASGIApp) -> Config:
    """uvicorn's settings for an app whose connections are ours."""
    config = Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # nothing here depends on a client's address
        server_header=False,  # neither says what runs here, and in which version
        date_header=False,
    )
    config.load()
    return config
