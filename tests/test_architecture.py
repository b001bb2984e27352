"""The house rules that can be read off the source: which part may import which, and how long a file or a function may be.

The table of layers is the one in docs/architecture.md; each check names every offender.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80

ONLY_IN = {
    "PIL": {"images", "sample", "handover.predict", "handover.open_clip_example"},
    "pillow_heif": {"images"},
    "imagehash": {"images"},
    "open_clip": {"backbones", "weights", "handover.open_clip_example"},
    "sqlalchemy": {"storage"},
    "alembic": {"storage"},
    "babel": {"i18n", "locale.update"},
}
"""Libraries that only these modules may import; those of `handover` are shipped. streamlit goes by layer, see below."""

LAYER_OF_SCREENS = 6
LAYER_OF_THE_METHOD = 3
KEPT_FROM_THE_METHOD = {"images", "image_files", "features", "feature_cache", "backbones", "weights", "projector_file"}
DISK_MODULES = {"pathlib", "os", "io", "shutil", "tempfile", "json", "csv", "pickle", "safetensors"}
DISK_CALLS = {"open", "load", "save", "fromfile", "tofile", "read_text", "read_bytes", "write_text", "write_bytes"}
GLOBAL_SEEDS = {"torch.manual_seed", "np.random.seed", "numpy.random.seed", "random.seed", "torch.cuda.manual_seed_all"}


def product_files() -> list[Path]:
    """Every source file of the product: the app, its pages, the engine."""
    return [
        REPOSITORY / "app.py",
        *sorted((REPOSITORY / "pages").rglob("*.py")),
        *sorted((REPOSITORY / "prolip_core").rglob("*.py")),
    ]


def module_name(path: Path) -> str:
    """`prolip_core/sample/render.py` → `sample.render`; the engine's own `__init__.py` → `__init__`; `app.py` → `app`."""
    parts = list(path.relative_to(REPOSITORY).with_suffix("").parts)
    if parts[0] == "prolip_core":
        parts = parts[1:]
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
    return ".".join(parts)


MODULES = {module_name(path): path for path in product_files()}


def read_layers(text: str) -> dict[str, int]:
    """The table under "Layers" of docs/architecture.md, rows like "| 3 | `prolip`, `solvers` | … |": module → layer."""
    section = text.partition("\n## Layers\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d) \| ([^|]*) \|", section, flags=re.MULTILINE)
    return {name: int(layer) for layer, cell in rows for name in re.findall(r"`([\w.]+)`", cell)}


LAYERS = read_layers((REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8"))


def layer_of(module: str) -> int | None:
    """The layer of a module, or of the nearest package around it that the table names."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        found = LAYERS.get(".".join(parts[:length]))
        if found is not None:
            return found
    return None


class _WithoutTypeChecking(ast.NodeTransformer):
    """Drops what only a type checker reads."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            return node.orelse
        return node


def parse(source: str) -> ast.AST:
    tree: ast.AST = _WithoutTypeChecking().visit(ast.parse(source))
    return tree


def imported_names(tree: ast.AST) -> set[str]:
    """Every dotted name that is imported anywhere in the file, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def imported_modules(tree: ast.AST) -> set[str]:
    """The engine's own modules that are imported, by the names of `MODULES`."""
    found = set()
    for name in imported_names(tree):
        top, _, rest = name.partition(".")
        if top != "prolip_core":
            continue
        candidates = (rest, rest.rpartition(".")[0], "__init__")
        found.add(next(candidate for candidate in candidates if candidate in MODULES))
    return found


def tree_of(module: str) -> ast.AST:
    return parse(MODULES[module].read_text(encoding="utf-8"))


GRAPH = {module: imported_modules(tree_of(module)) - {module} for module in MODULES}


def upward_imports(module: str, imported: set[str]) -> list[str]:
    own = layer_of(module)
    assert own is not None
    return [
        f"{module} (layer {own}) imports {other} (layer {layer})"
        for other in sorted(imported)
        if (layer := layer_of(other)) is not None and layer > own
    ]


def foreign_imports(module: str, tree: ast.AST) -> list[str]:
    """Libraries that this module may not import."""
    tops = {name.partition(".")[0] for name in imported_names(tree)}
    found = [
        f"{module} imports {top}"
        for top in sorted(tops)
        if top in ONLY_IN and not {module, module.split(".")[0]} & ONLY_IN[top]
    ]
    if "streamlit" in tops and layer_of(module) != LAYER_OF_SCREENS:
        found.append(f"{module} imports streamlit")
    return found


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted text of every call: `(12, "torch.manual_seed")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node.lineno, ast.unparse(node.func)


def disk_access(tree: ast.AST) -> list[str]:
    found = [f"imports {name}" for name in sorted(imported_names(tree)) if name.partition(".")[0] in DISK_MODULES]
    return found + [f"calls {text} (line {line})" for line, text in calls(tree) if text.split(".")[-1] in DISK_CALLS]


def long_functions(tree: ast.AST, limit: int) -> list[str]:
    return [
        f"{node.name} has {lines} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > limit
    ]


def test_every_module_has_its_layer_and_the_table_names_nothing_else() -> None:
    without = sorted(module for module in MODULES if layer_of(module) is None)
    assert not without, f"not in the table of docs/architecture.md: {without}"
    folders = {"pages"}  # the screens' folder may still be empty
    gone = sorted(name for name in LAYERS if name not in MODULES and name not in folders)
    assert not gone, f"the table of docs/architecture.md names what does not exist: {gone}"


def test_imports_point_down() -> None:
    found = [line for module, imported in GRAPH.items() for line in upward_imports(module, imported)]
    assert not found, "\n".join(found)


def test_no_module_imports_itself_in_a_circle() -> None:
    try:
        tuple(TopologicalSorter(GRAPH).static_order())
    except CycleError as error:
        pytest.fail(f"circular imports: {' → '.join(error.args[1])}")


def test_libraries_are_imported_only_where_they_live() -> None:
    found = [line for module in MODULES for line in foreign_imports(module, tree_of(module))]
    assert not found, "\n".join(found)


def test_the_lowest_layer_costs_nothing_to_import() -> None:
    """The command line answers `--help` and wrong arguments without waiting for torch."""
    heavy = {"torch", "numpy", "scipy", "sklearn", "open_clip", "timm", "PIL"}
    found = [
        f"{module} imports {name}"
        for module in MODULES
        if layer_of(module) == 0
        for name in sorted(imported_names(tree_of(module)))
        if name.partition(".")[0] in heavy
    ]
    assert not found, "\n".join(found)


def reachable(module: str) -> set[str]:
    """The module and everything that it imports, directly or through others."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += GRAPH[current]
    return found


METHOD = sorted(module for module in MODULES if layer_of(module) == LAYER_OF_THE_METHOD)


@pytest.mark.parametrize("module", METHOD)
def test_the_method_sees_tensors_only(module: str) -> None:
    """No photo, no model and no disk in reach, not even through another module; and no query photo in any signature."""
    bad = reachable(module) & KEPT_FROM_THE_METHOD
    assert not bad, f"{module} reaches {sorted(bad)}"
    assert not disk_access(tree_of(module)), f"{module}: {disk_access(tree_of(module))}"
    arguments = [node.arg for node in ast.walk(tree_of(module)) if isinstance(node, ast.arg)]
    assert not [name for name in arguments if "query" in name or "test" in name]


def test_nothing_is_printed_and_no_global_seed_is_set() -> None:
    found = []
    for module in MODULES:
        for line, text in calls(tree_of(module)):
            # The script that builds the starter's weights is a process of its own.
            if text == "print" or (text in GLOBAL_SEEDS and module != "starter.build"):
                found.append(f"{module}, line {line}: {text}")
    assert not found, "\n".join(found)


def test_no_file_is_a_drawer_for_odds_and_ends() -> None:
    found = [m for m in MODULES if m.split(".")[-1] in {"utils", "util", "helpers", "common", "misc"}]
    assert not found


def test_files_and_functions_stay_short() -> None:
    found = []
    for path in product_files():
        source = path.read_text(encoding="utf-8")
        name = path.relative_to(REPOSITORY).as_posix()
        if (lines := len(source.splitlines())) >= MAX_FILE_LINES:
            found.append(f"{name} has {lines} lines")
        if "migrations/versions" not in name:  # one statement per table
            found += [f"{name}: {line}" for line in long_functions(ast.parse(source), MAX_FUNCTION_LINES)]
    assert not found, "\n".join(found)


def test_the_checks_see_planted_faults() -> None:
    """Each check on a source that breaks its rule: it must not pass for want of looking."""
    hidden = parse("def f():\n    from prolip_core import pilot\n")
    assert upward_imports("images", imported_modules(hidden)) == ["images (layer 1) imports pilot (layer 4)"]
    by_name = parse("from prolip_core.backbones import Backbone\nimport prolip_core.sample.render")
    assert imported_modules(by_name) == {"backbones", "sample.render"}
    typing_only = parse("if TYPE_CHECKING:\n    import open_clip\nelse:\n    import PIL.Image")
    assert foreign_imports("features", typing_only) == ["features imports PIL"]
    assert foreign_imports("pilot", parse("import streamlit as st")) == ["pilot imports streamlit"]
    assert foreign_imports("app", parse("import streamlit as st")) == []
    assert disk_access(parse("from pathlib import Path\ntorch.save(x, 'f')")) == [
        "imports pathlib.Path",
        "calls torch.save (line 2)",
    ]
    assert long_functions(parse("def f():\n    a = 1\n    return a"), 2) == ["f has 3 lines"]
    assert {"lam", "objective", "prolip", "solvers"} <= set(METHOD)
    assert "classify" in reachable("prolip")
