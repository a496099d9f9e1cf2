"""An S3 store in SeaweedFS' place, which takes its command line and makes the bucket as it does."""

import json
import sys
import threading
import time
import urllib.request
from pathlib import Path

from moto.server import main

PORT = 8333
HEALTH = f"http://127.0.0.1:{PORT}"


def make_bucket() -> None:
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(f"{HEALTH}/mlflow", method="PUT"))
            urllib.request.urlopen(urllib.request.Request(f"{HEALTH}/healthz", method="PUT"))
            return
        except OSError:
            time.sleep(0.2)


[config] = [word.partition("=")[2] for word in sys.argv if word.startswith("-s3.config=")]
assert json.loads(Path(config).read_text())["identities"][0]["credentials"][0]["secretKey"]
threading.Thread(target=make_bucket, daemon=True).start()
main(["-H", "0.0.0.0", "-p", str(PORT)])
