"""Asks a running service (python -m prolip_core serve …) about photos. It needs nothing but Python.

    python client.py PHOTO [PHOTO …]
    python client.py --url http://factory-pc:8600 PHOTO      with the key in the environment variable PROLIP_API_KEY

The same with curl:
    curl -F photos=@PHOTO -H "X-API-Key: $PROLIP_API_KEY" http://127.0.0.1:8600/predict
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

TRIES = 5


def ask(url: str, photos: list[Path], key: str = "") -> dict[str, Any]:
    """The service's answer as it is, one prediction per photo. Waits and tries again where the service is busy (429, 503).

    Raises urllib.error.HTTPError for any other refusal; its body says why.
    """
    boundary = uuid.uuid4().hex
    parts = []
    for photo in photos:
        name = photo.name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")  # as browsers and curl do
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="photos"; filename="{name}"\r\n'
        parts += [
            head.encode(errors="surrogateescape"),
            b"Content-Type: application/octet-stream\r\n\r\n",
            photo.read_bytes(),
            b"\r\n",
        ]
    body = b"".join([*parts, f"--{boundary}--\r\n".encode()])
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", **({"X-API-Key": key} if key else {})}
    request = urllib.request.Request(f"{url.rstrip('/')}/predict", body, headers)  # noqa: S310 - the user names the address
    for left in range(TRIES, 0, -1):
        try:
            with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or left == 1:
                raise
            time.sleep(float(error.headers.get("Retry-After", "1")))
    raise AssertionError("not reached")


def main() -> int:
    parser = argparse.ArgumentParser(description="Asks a running service about photos.")
    parser.add_argument("photos", type=Path, nargs="+", metavar="PHOTO")
    parser.add_argument("--url", default="http://127.0.0.1:8600")
    options = parser.parse_args()
    try:
        answer = ask(options.url, options.photos, os.environ.get("PROLIP_API_KEY", ""))
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"{error.code}: {error.read().decode(errors='replace')}\n")
        return 1
    sys.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
