"""The command `report`: a finished run as slides, PDF or HTML."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from prolip_core import i18n
from prolip_core.errors import ConfigError, RunError

ENDINGS = (".pptx", ".pdf", ".html")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that a pilot wrote")
    parser.add_argument("--lang", default=i18n.DEFAULT, help="ja or en (default: %(default)s)")
    parser.add_argument("--photos", type=Path, help="folder with the photos of the run, for examples")
    parser.add_argument("--title", default="", help="on the cover, in place of the usual question")
    parser.add_argument("--organisation", default="", help="on the cover")
    parser.add_argument("--author", default="", help="on the cover")
    parser.add_argument(
        "--wanted", type=float, default=0.9, help="share of right answers wanted (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file: .pptx, .pdf or .html")


def report_command(options: argparse.Namespace) -> None:
    ending = options.out.suffix.lower()
    _check(options, ending)
    from datetime import UTC, datetime

    from prolip_core import comparison
    from prolip_core.report_text import plain
    from prolip_core.reports import files, pictures, run_folder, source
    from prolip_core.reports.build import build

    run = run_folder.read(options.run)
    found = source.Source(
        run=run,
        compared=comparison.of_run(run),
        project=options.run.resolve().name,
        fingerprint=run.summary.fingerprint,
        moment=datetime.now(UTC),
        choices=source.Choices(options.title, options.organisation, options.author, options.wanted),
        sure_N=source.sure_of(run),
        photo=pictures.from_folder(options.photos) if options.photos is not None else _no_photo,
    )
    content = files.FORMS[ending[1:]].write(build(found, options.lang))
    try:
        options.out.write_bytes(content)
    except OSError as error:
        raise RunError(
            "The file {file} cannot be written: {cause}.",
            remedy="Choose another place for it.",
            file=options.out,
            cause=error.strerror or error,
        ) from error
    sys.stdout.write(plain(f"{options.out}: {len(content)} bytes") + "\n")


def _check(options: argparse.Namespace, ending: str) -> None:
    """Raises ConfigError before anything is read."""
    if ending not in ENDINGS:
        raise ConfigError(
            "A report is a .pptx, .pdf or .html file, not {ending}.",
            remedy="Give the file one of these endings.",
            ending=ending or options.out.name,
        )
    if options.lang not in i18n.LANGUAGES:
        raise ConfigError(
            "There is no report in the language {language}.", remedy="Choose ja or en.", language=options.lang
        )
    if not 0.5 <= options.wanted <= 0.999:
        raise ConfigError(
            "The wanted share of right answers must lie between 0.5 and 0.999, not {value}.",
            remedy="Give it as a fraction: 0.9 means 90 %.",
            value=f"{options.wanted:g}",
        )


def _no_photo(_image_id: str) -> bytes | None:
    return None
