"""The engine from a shell: progress on stderr, results on stdout, one line and exit code 2 for anything that is wrong."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prolip_core import __version__, catalogue, cli_groups, cli_handover, cli_projects, cli_report, condition_commands
from prolip_core import types as records
from prolip_core.cli_options import add_command as _command
from prolip_core.cli_options import add_device as _add_device
from prolip_core.cli_options import add_reading as _add_reading
from prolip_core.cli_options import check_out as _check_out
from prolip_core.cli_options import one_line, write_json
from prolip_core.cli_options import spec_of as _spec
from prolip_core.config import cache_folder
from prolip_core.errors import ProLIPError
from prolip_core.progress_bars import ProgressBars
from prolip_core.report_text import plain

EXIT_OK, EXIT_WRONG_INPUT, EXIT_INTERRUPTED = 0, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; gives the exit code: 0, 2 for wrong input, 130 when interrupted from the keyboard."""
    parsed = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if parsed.verbose else logging.ERROR, stream=sys.stderr)
    if not parsed.verbose:
        # What libraries say about themselves is no concern of the person who waits for a result.
        warnings.simplefilter("ignore")
    if sys.stdout is None:  # closed by the caller: `command >&-`
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - lives as long as the process
    # User text can hold characters that an old Windows console cannot show; it must not end a run.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    command: Callable[[argparse.Namespace], None] = parsed.command
    try:
        command(parsed)
    except ProLIPError as error:
        sys.stderr.write(f"{parsed.name}: {one_line(str(error))}\n")
        return EXIT_WRONG_INPUT
    except KeyboardInterrupt:
        kept = " Features computed so far are kept and speed up the next run." if parsed.name == "pilot" else ""
        sys.stderr.write(f"{parsed.name}: stopped.{kept}\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; Python would complain once more while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        # What the engine reads and writes has errors of its own; what is left is the output, on a full disk for instance.
        sys.stderr.write(f"{parsed.name}: The output cannot be written: {error.strerror or error}.\n")
        return EXIT_WRONG_INPUT
    return EXIT_OK


class OneLineParser(argparse.ArgumentParser):
    """Ends on a bad argument with one line that says what to do, and exit code 2."""

    def error(self, message: str) -> Any:
        self.exit(EXIT_WRONG_INPUT, f"{self.prog}: {one_line(message)}. See {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options; the defaults are those of PilotSpec and FitConfig."""
    parser = OneLineParser(prog="python -m prolip_core", description="Few-shot pilots with CLIP and ProLIP.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=OneLineParser)

    pilot = _command(commands, "pilot", pilot_command, "train on a folder of photos and compare with zero-shot")
    pilot.add_argument("train", type=Path, metavar="TRAIN", help="folder with one folder of photos per class")
    pilot.add_argument("--test", type=Path, help="the same for the test photos; without it: cross-validation")
    _add_reading(pilot)
    pilot.add_argument("--solver", default="exact", help="exact or adam (default: %(default)s)")
    pilot.add_argument("--lam", default="auto", help="auto, 1/N, 1/N2 or a number (default: %(default)s)")
    pilot.add_argument("--epochs", type=int, default=300, help="of adam (default: %(default)s)")
    pilot.add_argument("--lr", type=float, default=1e-3, help="learning rate of adam (default: %(default)s)")
    _add_device(pilot)
    pilot.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for the results")

    _add_studies(commands)

    cli_handover.add(commands)

    cli_report.add_options(
        _command(
            commands, "report", cli_report.report_command, "a finished run as slides, PDF or HTML, for those who decide"
        )
    )

    sample = _command(commands, "sample", sample_command, "write the built-in sample data set")
    sample.add_argument("folder", type=Path, metavar="FOLDER")

    cli_projects.add(commands)

    listing = _command(commands, "backbones", backbones_command, "what is there, what it costs, what is in reach")
    listing.add_argument("--json", action="store_true", help="print JSON")
    return parser


def pilot_command(options: argparse.Namespace) -> None:
    from prolip_core import dataset, pilot, report_text, runs
    from prolip_core.spec import FitConfig

    # Everything that can be wrong about the request is found before any photo is read.
    spec = _spec(options, FitConfig(options.solver, options.lam, options.lr, options.epochs))
    cache = cache_folder()
    _check_out(options.out, options.train, options.test)
    runs.prepare_folder(options.out)
    with ProgressBars() as bars:
        photos = dataset.read_folders(options.train, options.test, options.classes, on_progress=bars.show)
        run = pilot.run(spec, photos, cache_folder=cache, on_progress=bars.show, on_step=bars.show_step)
        path = runs.save(run, options.out)
    report_text.write(run, path, sys.stdout)


def study_command(options: argparse.Namespace) -> None:
    from prolip_core import dataset, pilot, runs
    from prolip_core.baselines import methods
    from prolip_core.spec import FitConfig
    from prolip_core.studies import kinds, look_files, look_study, material, names, study_files, study_text

    spec = _spec(options, FitConfig())
    draws, keys = getattr(options, "draws", None), getattr(options, "method", None)
    if draws is not None:
        material.check_draws(draws)
    if keys:
        methods.by_keys(keys)
    looked_at = getattr(options, "photos", look_study.PHOTOS)
    look_study.check_photos(looked_at)
    cache = cache_folder()
    _check_out(options.out, options.train, options.test)
    runs.prepare_folder(options.out, study=options.study)
    with ProgressBars() as bars:
        photos = dataset.read_folders(options.train, options.test, options.classes, on_progress=bars.show)
        backbone = pilot.load_backbone(spec)
        prepared = material.prepare(
            spec,
            photos,
            cache_folder=cache,
            on_progress=bars.show,
            backbone=backbone,
            needs_test=options.study not in names.NEEDS_NO_TEST,
            with_tokens=options.study == names.METHODS and methods.need_tokens(keys),
        )
        reader = look_study.Reader(backbone, photos.source, cache)
        request = kinds.Request(getattr(options, "shots", None), draws, keys, photos=looked_at, reader=reader)
        study = kinds.run(options.study, prepared, request, bars.show)
        if isinstance(study, look_study.LookStudy):
            look_files.save_pictures(study, photos.source, options.out)
        path = study_files.save(study, options.out)
    study_text.write(study_files.load(path), path, sys.stdout)


def certainty_command(options: argparse.Namespace) -> None:
    from prolip_core import dataset, image_files, pilot, runs
    from prolip_core.spec import FitConfig
    from prolip_core.studies import certainty_study, kinds, material, study_files, study_text

    spec = _spec(options, FitConfig())
    certainty_study.check(options.limit, options.coverage)
    if options.foreign is not None:
        image_files.photos_at(options.foreign)
    cache = cache_folder()
    _check_out(options.out, options.train, options.test, options.foreign)
    runs.prepare_folder(options.out, study=options.study)
    with ProgressBars() as bars:
        photos = dataset.read_folders(options.train, options.test, options.classes, on_progress=bars.show)
        backbone = pilot.load_backbone(spec)
        prepared = material.prepare(spec, photos, cache_folder=cache, on_progress=bars.show, backbone=backbone)
        foreign = None
        if options.foreign is not None:
            foreign = certainty_study.read_foreign(
                options.foreign, prepared, backbone, cache_folder=cache, on_progress=bars.show
            )
        request = kinds.Request(options.shots, limit=options.limit, coverage=options.coverage, foreign=foreign)
        path = study_files.save(kinds.run(options.study, prepared, request, bars.show), options.out)
    study_text.write(study_files.load(path), path, sys.stdout)


def sample_command(options: argparse.Namespace) -> None:
    from prolip_core import sample

    with ProgressBars() as bars:
        written = sample.write(
            options.folder,
            on_progress=lambda done, total: bars.show(records.Progress("sample", done, total, 0.0, None)),
        )
    folder: Path = options.folder
    paths = [folder / "train", "--test", folder / "test", "--classes", folder / "classes.csv"]
    command = ["python", "-m", "prolip_core", "pilot", *paths, "--out", f"{folder}-run"]
    sys.stdout.write(plain(f"{len(written)} files written to {folder}. Try them:") + "\n")
    sys.stdout.write(plain(f"  {shlex.join(map(str, command))}") + "\n")


def backbones_command(options: argparse.Namespace) -> None:
    from prolip_core import weights

    rows = [(spec, weights.reach(spec)) for spec in catalogue.CATALOGUE]
    if options.json:
        content = [
            {
                "name": spec.name,
                "title": spec.title,
                "description": spec.description,
                "download_mb": spec.download_mb,
                "speed": spec.speed,
                "language": spec.language,
                "licence": spec.licence,
                "commercial_use": spec.commercial_use,
                "reach": reach,
            }
            for spec, reach in rows
        ]
        write_json(content)
        return
    for spec, reach in rows:
        cost = f"download {spec.download_mb} MB" if reach == "download" else reach
        sys.stdout.write(f"{spec.name}: {spec.title} [{cost}; {spec.speed} on a CPU; class names: {spec.language}]\n")
        sys.stdout.write(f"    {spec.description}\n")
        warning = "" if spec.commercial_use else "NO COMMERCIAL USE. "
        sys.stdout.write(f"    Licence: {warning}{spec.licence}\n")


def _add_studies(commands: Any) -> None:
    """The commands below `study`, which differ in a few options and a default."""
    study = commands.add_parser("study", help="many trainings on the same photos", description="Compare trainings.")
    studies = study.add_subparsers(required=True, metavar="STUDY", parser_class=OneLineParser)
    for name, draws, summary in (
        ("methods", 5, "compare ProLIP with other methods on the same photos"),
        ("learning-rates", 3, "ProLIP by Adam over learning rates and λ"),
        ("curve", None, "will more photos help? accuracy over photos per class"),
        ("new-classes", 6, "train on half of the classes, ask about the others by name"),
        ("look", None, "where does it look? heat maps of test photos, and classes known by the rim of their photos"),
    ):
        parser = _command(studies, name, study_command, summary)
        parser.set_defaults(name=f"study {name}", study=name.replace("-", "_"))
        parser.add_argument("train", type=Path, metavar="TRAIN", help="folder with one folder of photos per class")
        without = "; without it photos of TRAIN are held out" if name == "curve" else ""
        parser.add_argument("--test", type=Path, required=not without, help=f"the same for the test photos{without}")
        if name in ("methods", "learning-rates"):
            parser.add_argument(
                "--shots", type=int, help="photos per class of a draw (default: 16, or all of the smallest)"
            )
        if name == "look":
            parser.add_argument("--photos", type=int, default=12, help="test photos to look at (default: %(default)s)")
        else:
            default = "%(default)s" if draws else "12, or 4 without --test"
            parser.add_argument(
                "--draws", type=int, default=draws, help=f"random draws from TRAIN (default: {default})"
            )
        if name == "methods":
            parser.add_argument("--method", action="append", metavar="KEY", help="only this method; may be repeated")
        _add_reading(parser)
        _add_device(parser)
        parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for the results")

    parser = _command(studies, "certainty", certainty_command, "when it is not sure, and what its confidence is worth")
    parser.set_defaults(name="study certainty", study="certainty")
    parser.add_argument("train", type=Path, metavar="TRAIN", help="folder with one folder of photos per class")
    parser.add_argument("--test", type=Path, required=True, help="the same for the test photos")
    parser.add_argument("--foreign", type=Path, help="folder of photos that show none of the classes")
    limit = "wanted share of wrong answers among those given (default: %(default)s)"
    parser.add_argument("--limit", type=float, default=0.05, help=limit)
    coverage = "how often the right class is to be among those named (default: %(default)s)"
    parser.add_argument("--coverage", type=float, default=0.95, help=coverage)
    parser.add_argument("--shots", type=int, help="photos per class to learn from, drawn (default: all)")
    _add_reading(parser)
    _add_device(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for the results")
    condition_commands.add(studies)
    cli_groups.add_options(
        _command(studies, "groups", cli_groups.groups_command, "is it fair to all? right answers by tag")
    )
