"""The commands `study stress`, `second-test`, `transfer` and `test-time`: the project's training under other conditions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prolip_core.cli_options import add_command, add_device, add_reading, check_out, spec_of
from prolip_core.config import cache_folder
from prolip_core.progress_bars import ProgressBars

if TYPE_CHECKING:
    from prolip_core.backbones import Backbone
    from prolip_core.dataset import PhotoSet
    from prolip_core.studies.kinds import Study
    from prolip_core.studies.material import Material


@dataclass(frozen=True)
class Prepared:
    """What every study of conditions starts from."""

    material: Material
    photos: PhotoSet
    backbone: Backbone
    cache: Path
    bars: ProgressBars


def add(studies: Any) -> None:
    """Adds the four commands below `study`."""
    parser = _study(studies, "stress", stress_command, "what blur, noise, darkness and the like do to the answers")
    parser.add_argument("--photos", type=int, default=100, help="test photos, drawn evenly (default: %(default)s)")
    limit = "loss that counts as broken (default: %(default)s, 5 points)"
    parser.add_argument("--limit", type=float, default=0.05, help=limit)

    parser = _study(studies, "second-test", second_test_command, "a second set of test photos beside the first")
    parser.add_argument("--second", type=Path, required=True, help="folder like --test: other camera, other day")

    parser = _study(studies, "transfer", transfer_command, "the projector of another run on these photos")
    parser.add_argument("--run", type=Path, required=True, help="folder of a pilot's run, or its projector file")

    parser = _study(studies, "test-time", test_time_command, "one step per test photo on its views, without labels")
    parser.add_argument("--photos", type=int, default=100, help="test photos, drawn evenly (default: %(default)s)")
    parser.add_argument(
        "--views-per-photo", type=int, default=64, help="the photo and its crops (default: %(default)s)"
    )


def stress_command(options: argparse.Namespace) -> None:
    from prolip_core.studies import stress

    def study(given: Prepared) -> Study:
        distorted = stress.read(
            given.material,
            given.backbone,
            given.photos.source,
            photos=options.photos,
            cache_folder=given.cache,
            on_progress=given.bars.show,
        )
        return stress.run(given.material, distorted, limit=options.limit, on_progress=given.bars.show)

    stress.check(options.photos, options.limit)
    _run(options, study)


def second_test_command(options: argparse.Namespace) -> None:
    from prolip_core import dataset
    from prolip_core.studies import second_test

    def study(given: Prepared) -> Study:
        more = dataset.read_more(options.second, options.train, options.classes, on_progress=given.bars.show)
        second = second_test.read(
            given.material, more, given.backbone, cache_folder=given.cache, on_progress=given.bars.show
        )
        return second_test.run(given.material, second, on_progress=given.bars.show)

    _run(options, study, options.second)


def transfer_command(options: argparse.Namespace) -> None:
    from prolip_core.studies import transfer

    def study(given: Prepared) -> Study:
        foreign = transfer.read(options.run, given.backbone)
        return transfer.run(given.material, foreign, on_progress=given.bars.show)

    _run(options, study)


def test_time_command(options: argparse.Namespace) -> None:
    from prolip_core.studies import measuring, test_time

    def study(given: Prepared) -> Study:
        viewed = test_time.read(
            given.material,
            given.backbone,
            given.photos.source,
            photos=options.photos,
            views=options.views_per_photo,
            cache_folder=given.cache,
            on_progress=given.bars.show,
        )
        return test_time.run(given.material, viewed, on_progress=given.bars.show)

    measuring.check_photos(options.photos)
    test_time.check_views(options.views_per_photo)
    _run(options, study)


def _study(
    studies: Any, name: str, command: Callable[[argparse.Namespace], None], summary: str
) -> argparse.ArgumentParser:
    parser = add_command(studies, name, command, summary)
    parser.set_defaults(name=f"study {name}", study=name.replace("-", "_"))
    parser.add_argument("train", type=Path, metavar="TRAIN", help="folder with one folder of photos per class")
    parser.add_argument("--test", type=Path, required=True, help="the same for the test photos")
    add_reading(parser)
    add_device(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for the results")
    return parser


def _run(options: argparse.Namespace, study: Callable[[Prepared], Study], *more_folders: Path) -> None:
    """Checks, reads the project's photos, makes the study, writes and prints it."""
    from prolip_core import dataset, image_files, pilot, runs
    from prolip_core.spec import FitConfig
    from prolip_core.studies import material, study_files, study_text

    spec = spec_of(options, FitConfig())
    for folder in more_folders:
        image_files.photos_at(folder)
    cache = cache_folder()
    check_out(options.out, options.train, options.test, *more_folders)
    runs.prepare_folder(options.out, study=options.study)
    with ProgressBars() as bars:
        photos = dataset.read_folders(options.train, options.test, options.classes, on_progress=bars.show)
        backbone = pilot.load_backbone(spec)
        prepared = material.prepare(spec, photos, cache_folder=cache, on_progress=bars.show, backbone=backbone)
        path = study_files.save(study(Prepared(prepared, photos, backbone, cache, bars)), options.out)
    study_text.write(study_files.load(path), path, sys.stdout)
