"""What several commands share: their options, and the checks of what was asked for."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prolip_core import catalogue
from prolip_core.errors import ConfigError
from prolip_core.report_text import STEERING, plain

if TYPE_CHECKING:
    from prolip_core.spec import FitConfig, PilotSpec


def add_command(
    commands: Any, name: str, command: Callable[[argparse.Namespace], None], summary: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=summary.capitalize() + ".")
    parser.add_argument("--verbose", action="store_true", help="show what the libraries report")
    parser.set_defaults(command=command, name=name)
    return parser


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How photos and class names are read by the model."""
    parser.add_argument("--classes", type=Path, help="CSV: class,display_name,prompt_names (names parted by |)")
    parser.add_argument("--templates", default="general", help="template set by name (default: %(default)s)")
    parser.add_argument("--template", action="append", help="own sentence with {} for the name; may be repeated")
    parser.add_argument("--backbone", default=catalogue.STARTER, help="name, or ARCHITECTURE:TAG, or ARCHITECTURE:FILE")
    parser.add_argument("--views", type=int, default=1, help="views per training photo, 1 = not augmented")
    parser.add_argument("--seed", type=int, default=0, help="of views, folds and draws (default: %(default)s)")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu (default: %(default)s)")
    parser.add_argument("--precision", default="auto", help="auto, float32, bfloat16 or float16")


def spec_of(options: argparse.Namespace, fit: FitConfig) -> PilotSpec:
    """The choices as a record, checked before any photo is read."""
    from prolip_core import pilot, prompts
    from prolip_core.spec import PilotSpec

    spec = PilotSpec(
        backbone=catalogue.parse(options.backbone),
        templates=tuple(options.template or prompts.template_set(options.templates).templates),
        n_views=options.views,
        fit=fit,
        seed=options.seed,
        device=options.device,
        precision=options.precision,
    )
    pilot.check(spec)
    return spec


def check_out(out: Path, *photo_folders: Path | None) -> None:
    """Raises ConfigError if the results would land among the photos, where they would be taken for a class."""
    for folder in photo_folders:
        if folder is not None and out.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(
                "The folder for the results, {out}, lies inside the folder of photos {folder}.",
                remedy="Choose a folder outside it, for example {folder}-run.",
                out=out,
                folder=folder,
            )


def one_line(text: str) -> str:
    """For a terminal: on one line, and nothing in it that a terminal would obey."""
    return plain(" ".join(text.split()))


def write_json(content: object) -> None:
    """Readable in any language; what JSON leaves raw although a terminal would obey it is escaped."""
    for line in json.dumps(content, ensure_ascii=False, indent=2).split("\n"):
        sys.stdout.write(STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", line) + "\n")
