"""The whole pilot from a shell on the development photos, with a cold cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import development_photos


@pytest.mark.parametrize("name", ["clothing", "magnetic-tile"])
def test_pilot_from_a_shell(benchmark: Any, tmp_path: Path, name: str) -> None:
    photos = development_photos(name)
    command = [sys.executable, "-m", "prolip_core", "pilot", str(photos / "train"), "--test", str(photos / "test")]
    environment = {**os.environ, "PROLIP_HOME": str(tmp_path / "home")}

    def run() -> None:
        subprocess.run([*command, "--out", str(tmp_path / "run")], check=True, capture_output=True, env=environment)

    benchmark.pedantic(run, rounds=1)
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    benchmark.extra_info["seconds"] = {key: round(value, 2) for key, value in result["seconds"].items()}
    for method in ("zero_shot", "prolip"):
        measured = result[method]
        benchmark.extra_info[method] = (
            f"{measured['correct']} of {measured['count']}, balanced {measured['balanced_accuracy']:.3f}"
        )
    benchmark.extra_info["mcnemar_p"] = result["mcnemar_p"]
    assert result["mcnemar_p"] < 0.001
    assert result["prolip"]["accuracy"] > result["zero_shot"]["accuracy"]
