"""Brings the catalogues up to date: `python -m prolip_core.locale.update`.

Every text that a person may read is found in the source: arguments of `_` and `_n` on the screens, of `N_` and `Note` anywhere,
message and remedy of every error. New texts arrive without a translation (a test names them), unused ones are dropped.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from prolip_core import errors, i18n

ROOT = Path(__file__).parent.parent.parent
TextKey = str | tuple[str, str]
"""A text, or its singular and plural."""

_ERRORS = {
    name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.ProLIPError)
}


def sources() -> list[Path]:
    """Every file of the product that may hold texts, in a stable order."""
    folders = [ROOT / "pages", ROOT / "prolip_core"]
    return [ROOT / "app.py", *(path for folder in folders for path in sorted(folder.rglob("*.py")))]


def texts_of(source: str) -> Iterator[TextKey]:
    """The texts of one file, in the order of their lines."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        first = _literal(call.args[0]) if call.args else None
        if name == "_n" and first is not None and len(call.args) > 1:
            many = _literal(call.args[1])
            if many is not None:
                yield (first, many)
        elif name in {"_", "N_", "Note", *_ERRORS} and first:
            yield first
        if name in _ERRORS:
            for keyword in call.keywords:
                remedy = _literal(keyword.value) if keyword.arg == "remedy" else None
                if remedy:
                    yield remedy


def extract() -> dict[TextKey, list[str]]:
    """Every text of the product with the files that it stands in."""
    found: dict[TextKey, list[str]] = {}
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        for text in texts_of(path.read_text(encoding="utf-8")):
            files = found.setdefault(text, [])
            if name not in files:
                files.append(name)
    return found


def read(language: str) -> Catalog:
    """The catalogue of a language as it lies on disk; an empty one if there is none."""
    path = i18n.catalogue_path(language)
    if not path.is_file():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str) -> bytes:
    """The catalogue as it should be: all texts of the source and no other, with the translations there are."""
    old = read(language)
    new = Catalog(locale=language, project="ProLIP Studio", fuzzy=False, charset="utf-8")
    for text, files in extract().items():
        known = old.get(text[0] if isinstance(text, tuple) else text)
        translation = (
            known.string if known is not None and isinstance(known.string, tuple) == isinstance(text, tuple) else None
        )
        if language == i18n.DEFAULT:
            translation = text
        new.add(text, translation or None, locations=[(name, 0) for name in files])
    buffer = io.BytesIO()
    write_po(buffer, new, width=120, omit_header=True, include_lineno=False, sort_by_file=False)
    # A short header of our own: Babel's holds the time, which would change with every run.
    plural = f"nplurals={new.num_plurals}; plural={new.plural_expr};"
    header = (
        f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n'
        f'"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n"Plural-Forms: {plural}\\n"\n\n'
    )
    return header.encode() + buffer.getvalue()


def _literal(node: ast.expr) -> str | None:
    """The text of a literal; parts that follow each other are one literal already."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def main() -> None:
    for language in i18n.LANGUAGES:
        content = updated(language)
        path = i18n.catalogue_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
