"""A folder into a table: what is in it, and that a killed process loses nothing and answers nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prolip_core import scoring
from prolip_core.answering import Answer
from prolip_core.errors import ConfigError, ImageError, RunError
from tests import fakes, image_factory
from tests.conftest import REPOSITORY
from tests.counting import Counting


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    fakes.write_photos(tmp_path / "photos", {"bolt": range(20), "nut": range(20)})
    (tmp_path / "photos" / "bolt" / "broken.jpg").write_bytes(image_factory.cut(image_factory.jpeg(1)))
    return tmp_path / "photos"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_every_photo_is_a_line(photos: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"answers.{ending}"
    answerer = Counting()
    scored = scoring.run(answerer, photos, out)
    assert (scored.photos, scored.resumed, scored.without_answer) == (41, 0, 1)
    table = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    assert len(table) == 41
    assert table["photo"].is_unique
    assert list(table["photo"][:3]) == ["bolt/0.jpg", "bolt/1.jpg", "bolt/2.jpg"]
    broken = table[table["photo"] == "bolt/broken.jpg"].iloc[0]
    assert broken["status"] == "not read"
    assert "damaged or cut short" in broken["reason"]
    assert pd.isna(broken["confidence"])
    assert table["probability_light"].notna().sum() == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, "photos"]
    runner_up = set(table["runner_up"].dropna())
    assert runner_up == ({"'=dark"} if ending == "csv" else {"=dark"})


def test_it_goes_on_after_the_last_whole_line(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"

    class Dying(Counting):
        def answer(self, pixels_B3HW: np.ndarray) -> list[Answer]:
            if len(self.asked) > 20:
                raise KeyboardInterrupt
            return super().answer(pixels_B3HW)

    with pytest.raises(KeyboardInterrupt):
        scoring.run(Dying(), photos, out)
    journal = scoring.journal_of(out)
    done = [json.loads(line)["file"] for line in journal.read_text().splitlines()[1:]]
    assert len(done) == scoring.BATCH
    with journal.open("a") as file:
        file.write('{"file": "bolt/19.jpg", "half')  # as a killed process leaves it
    changed = photos / done[0]
    changed.write_bytes(image_factory.jpeg(99))
    (photos / done[1]).unlink()
    second = Counting()
    scored = scoring.run(second, photos, out)
    assert (scored.resumed, scored.photos) == (16, 41)
    assert not set(second.asked) & set(done)
    assert sorted([*done, *second.asked]) == sorted([*pd.read_csv(out)["photo"]])
    table = pd.read_csv(out).set_index("photo")
    assert table.loc[done[0], "status"] == "changed"
    assert pd.isna(table.loc[done[0], "class"])
    assert table.loc[done[1], "status"] == "answered"


def test_a_photo_that_goes_away_is_a_line_with_the_reason(photos: Path, tmp_path: Path) -> None:
    class Removing(Counting):
        def pixels(self, data: bytes, filename: str) -> np.ndarray:
            (photos / "nut" / "19.jpg").unlink(missing_ok=True)
            return super().pixels(data, filename)

    scoring.run(Removing(), photos, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv").set_index("photo")
    assert "not there any more" in str(table.loc["nut/19.jpg", "reason"])
    assert len(table) == 41


def test_what_does_not_fit_is_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ending.*\.csv, \.parquet"):
        scoring.check_out(tmp_path / "answers.xlsx")
    out = tmp_path / "answers.csv"
    scoring.journal_of(out).write_text(json.dumps({"format": 1, "model": "another", "folder": "x"}) + "\n")
    with pytest.raises(RunError, match="another folder of photos or another model"):
        scoring.run(Counting(), photos, out)
    scoring.journal_of(out).unlink()
    scoring.run(Counting(), photos, out)
    with pytest.raises(ConfigError, match="there already"):
        scoring.run(Counting(), photos, out)


def test_what_could_not_be_read_is_tried_again(photos: Path, tmp_path: Path) -> None:
    class Dying(Counting):
        def answer(self, pixels_B3HW: np.ndarray) -> list[Answer]:
            if len(self.asked) > 30:
                raise KeyboardInterrupt
            return super().answer(pixels_B3HW)

    with pytest.raises(KeyboardInterrupt):
        scoring.run(Dying(), photos, tmp_path / "a.csv")
    lines = scoring.journal_of(tmp_path / "a.csv").read_text().splitlines()
    (photos / "bolt" / "broken.jpg").write_bytes(image_factory.jpeg(1))
    first = json.loads(lines[1])
    lines[1] = json.dumps({**first, "status": "not read", "answer": None, "reason": "The drive was away."})
    scoring.journal_of(tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    again = Counting()
    scored = scoring.run(again, photos, tmp_path / "a.csv")
    assert scored.without_answer == 0
    assert scored.photos == len(pd.read_csv(tmp_path / "a.csv")) == 41
    assert first["file"] in again.asked


@pytest.mark.parametrize("line", ["not json", "[]", "{}", '{"file": "a", "answer": {}}', "3"])
def test_a_damaged_journal_is_told_in_words(photos: Path, tmp_path: Path, line: str) -> None:
    out = tmp_path / "a.csv"
    head = {"format": scoring.FORMAT, "model": "counting", "folder": str(photos.resolve())}
    scoring.journal_of(out).write_text(json.dumps(head) + f"\n{line}\n")
    with pytest.raises(RunError, match="is damaged"):
        scoring.run(Counting(), photos, out)
    assert not out.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only there is a name any bytes")
def test_names_that_look_the_same_are_all_in_the_table(tmp_path: Path) -> None:
    """が as one character and as two, and two names in Shift-JIS whose bytes cannot be shown."""
    folder = tmp_path / "photos"
    folder.mkdir()
    names = ["が.jpg".encode(), unicodedata.normalize("NFD", "が.jpg").encode(), "部.jpg".encode("cp932")]
    names.append(names[2].replace(b"\x95", b"\x96"))
    for number, name in enumerate(names):
        (folder / os.fsdecode(name)).write_bytes(image_factory.jpeg(number))
    answerer = Counting()
    scored = scoring.run(answerer, folder, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert scored.photos == len(table) == len(answerer.asked) == len(names)
    assert table["photo"].is_unique
    assert table["photo"].str.startswith("が.jpg [").sum() == 2
    assert (table["status"] == "answered").all()


SLOW = """
import sys, time
from pathlib import Path
from prolip_core import scoring
from tests.counting import Counting

class Slow(Counting):
    def answer(self, pixels_B3HW):
        time.sleep(0.2)
        return super().answer(pixels_B3HW)

    def pixels(self, data, filename):
        with open(sys.argv[3], "a") as log:
            log.write(filename + chr(10))
        return super().pixels(data, filename)

scoring.run(Slow(), Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_process_loses_no_photo_and_answers_none_twice(tmp_path: Path) -> None:
    photos = fakes.write_photos(tmp_path / "photos", {"bolt": range(90)})
    out, log = tmp_path / "answers.csv", tmp_path / "asked.txt"
    line = [sys.executable, "-c", SLOW, str(photos), str(out), str(log)]

    def journalled() -> list[str]:
        path = scoring.journal_of(out)
        whole = path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []
        return [json.loads(one)["file"] for one in whole[1:]]

    for wanted in (16, 48):
        process = subprocess.Popen(line, cwd=REPOSITORY)
        until = time.monotonic() + 120
        while len(journalled()) < wanted and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(journalled()) >= wanted
        assert not out.exists()
    kept = journalled()
    asked = len(log.read_text().splitlines())
    assert subprocess.run(line, cwd=REPOSITORY, check=False).returncode == 0
    third = log.read_text().splitlines()[asked:]
    assert not set(third) & set(kept)
    assert len(third) == 90 - len(kept)
    table = pd.read_csv(out)
    assert sorted(table["photo"]) == sorted(f"bolt/{number}.jpg" for number in range(90))
    assert (table["status"] == "answered").all()
    assert not scoring.journal_of(out).exists()


def test_two_processes_do_not_write_one_table(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    with scoring._alone(out), pytest.raises(ConfigError, match="Another process"), scoring._alone(out):
        raise AssertionError("not reached")


def test_an_image_error_names_the_file() -> None:
    from prolip_core.answering import answer_bytes

    (found,) = answer_bytes(Counting(), [("empty.jpg", b"")])
    assert isinstance(found, ImageError)
    assert found.filename == "empty.jpg"
