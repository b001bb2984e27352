"""What handing over costs: `python -m tests.benchmarks.handover_speed RUN TRAIN TEST`, RUN being a pilot on these folders.

Makes the zip, answers the test folder with it (`score`), and asks a real server a hundred times at once.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvicorn

from prolip_core import answering, cli_handover, image_files, runs, scoring, service
from prolip_core.handover import bundle, client

AT_ONCE = 100


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("run", "train", "test"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    photos = cli_handover._photos_of(runs.read_result(options.run), [options.train, options.test])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hand-over.zip"
        made = bundle.make(options.run, path, photos)
        say(f"making and checking the zip: {made.seconds:.1f} s, {made.size_bytes / 1e6:.1f} MB")
        for name, one in (("float32", made.check.float32), ("int8", made.check.int8)):
            if one is not None:
                say(f"{name}: {one.milliseconds:.1f} ms a photo, {one.right} of {made.check.count} right")
        begun = time.perf_counter()
        answerer = answering.open_(path)
        say(f"opening the zip: {time.perf_counter() - begun:.2f} s")
        begun = time.perf_counter()
        scored = scoring.run(answerer, options.test, Path(folder) / "answers.csv")
        say(f"score: {scored.photos / (time.perf_counter() - begun):.1f} photos a second")
        say(f"serve, {AT_ONCE} requests at once: {at_once(answerer, options.test):.1f} s until the last is answered")


def at_once(answerer: answering.Answerer, folder: Path) -> float:
    """Seconds for a hundred clients that ask at the same moment, about one photo each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(service.create(answerer), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    found = image_files.photos_at(folder)
    asked = [found[i % len(found)] for i in range(AT_ONCE)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda photo: client.ask(f"http://127.0.0.1:{port}", [photo]), asked))
    seconds = time.perf_counter() - begun
    assert all(one["predictions"][0]["class"] for one in answers)
    server.should_exit = True
    thread.join(10)
    return seconds


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
