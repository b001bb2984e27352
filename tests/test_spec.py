"""The choices of a run as JSON and back; and what may be imported without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from prolip_core import catalogue, spec
from prolip_core.errors import ConfigError
from prolip_core.spec import FitConfig, PilotSpec
from tests.conftest import REPOSITORY

CHOICES = (
    PilotSpec(),
    PilotSpec(
        catalogue.parse("ViT-B-32:weights.safetensors"),
        ("a photo of a {}.", "a {}."),
        5,
        FitConfig("adam", 0.25, 1e-2, 12, 7),
        3,
        "cpu",
        "float32",
    ),
)


@pytest.mark.parametrize("choices", CHOICES)
def test_choices_survive_json(choices: PilotSpec) -> None:
    assert spec.from_dict(json.loads(json.dumps(spec.as_dict(choices)))) == choices


def test_what_an_older_record_lacks_gets_its_default_and_what_a_newer_one_adds_is_passed_over() -> None:
    assert spec.from_dict({}) == PilotSpec()
    assert spec.from_dict({"seed": 4, "fit": {"epochs": 9, "new": 1}, "new": 2}) == PilotSpec(
        seed=4, fit=FitConfig(epochs=9)
    )


NONSENSE: tuple[dict[str, Any], ...] = (
    {"fit": {"solver": "magic"}},
    {"fit": {"lam": "much"}},
    {"fit": 3},
    {"seed": "x"},
    {"templates": 3},
    {"backbone": []},
)


@pytest.mark.parametrize("content", NONSENSE)
def test_nonsense_is_refused_with_a_remedy(content: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refusal:
        spec.from_dict(content)
    assert refusal.value.remedy


TORCH_FREE = (
    "answer_sheet",
    "answered",
    "archives",
    "business",
    "business_charts",
    "catalogue",
    "charts",
    "class_table",
    "comparison",
    "condition_charts",
    "config",
    "content_store",
    "csv_text",
    "duplicates",
    "figure_files",
    "group_charts",
    "groups",
    "guide",
    "handover.files",
    "heat_overlay",
    "i18n",
    "image_files",
    "images",
    "jobs",
    "likeness",
    "loss_charts",
    "metrics",
    "offering",
    "photo_checks",
    "photo_quality",
    "project_files.layout",
    "project_files.transfers",
    "prompts",
    "reports.advice",
    "reports.build",
    "reports.business_pages",
    "reports.content",
    "reports.files",
    "reports.pictures",
    "reports.source",
    "run_groups",
    "sample_photos",
    "spec",
    "splits",
    "storage",
    "studies.condition_words",
    "studies.look_rim",
    "studies.names",
    "studies.power_law",
    "study_charts",
    "sure_rule",
    "tag_table",
    "tags",
    "uploads",
    "versions",
    "wake",
    "wording",
)


PACKAGES = ("handover", "project_files", "reports", "studies")
"""Some of their modules are free of torch and some are not."""


def test_the_web_server_never_loads_torch() -> None:
    """It would cost every start of the server seconds and a few hundred megabytes."""
    modules = ", ".join(f"prolip_core.{name}" for name in TORCH_FREE)
    code = f"import sys\nimport {modules}\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, timeout=60)


def test_no_page_imports_what_needs_torch() -> None:
    allowed = {*TORCH_FREE, "errors", "types", "sample"}
    found: set[str] = set()
    for path in (REPOSITORY / "app.py", *sorted((REPOSITORY / "pages").rglob("*.py"))):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("from prolip_core"):
                continue
            _, source, _, *given = line.replace(",", "").replace("(", "").split()
            module = source.split(".")[1:]
            if module and module[0] not in PACKAGES:
                found.add(module[0])
            elif len(module) == 2:
                found.add(".".join(module))
            else:
                found |= {".".join([*module, name]) for name in given}
    assert found <= allowed, found - allowed
