"""The command `study groups`: the answers of a finished run by the tags of its photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(name="study groups", study="groups")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that a pilot wrote")
    tags = "CSV: file, then a column per tag (line, camera …); file names or class/file"
    parser.add_argument("--tags", type=Path, required=True, help=tags)
    parser.add_argument("--out", type=Path, required=True, metavar="R", help="folder for the results")


def groups_command(options: argparse.Namespace) -> None:
    from prolip_core import runs
    from prolip_core.studies import group_files, group_study, study_files, study_text

    answered = group_study.read_run(options.run)
    runs.prepare_folder(options.out, study=options.study)
    content = group_files.as_dict(group_study.run(answered, options.tags))
    path = study_files.write(content, options.out)
    study_text.write(content, path, sys.stdout)
