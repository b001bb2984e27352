"""Brings the catalogues up to date: `python -m prolip_core.locale.update`.

Every text that a person may read is found in the source: arguments of `_` and `_n` on the screens, of `N_` and `Note` anywhere,
message and remedy of every error, also where they stand in a constant of the module or in a record beside the error's class. New
texts arrive without a translation (a test names them), unused ones are dropped.
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
    tree = ast.parse(source)
    constants = _constants(tree)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        name = _name(call.func)
        texts = [_text(argument, constants) for argument in call.args]
        if name == "_n":
            if len(texts) > 1 and texts[0] and texts[1]:
                yield (texts[0], texts[1])
            continue
        classes = [place for place, argument in enumerate(call.args) if _name(argument) in _ERRORS]
        if name in {"_", "N_", "Note", *_ERRORS}:
            yield from filter(None, texts[:1])
        elif classes:
            # A record that says which error is raised, and with which texts.
            yield from filter(None, texts[classes[0] + 1 :])
        if name in _ERRORS:
            remedies = [keyword.value for keyword in call.keywords if keyword.arg == "remedy"]
            yield from filter(None, (_text(remedy, constants) for remedy in remedies))


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
        # A translation that somebody doubted stays marked as such: the tests name it.
        flags = {"fuzzy"} if known is not None and known.fuzzy else ()
        new.add(text, translation or None, locations=[(name, 0) for name in files], flags=flags)
    buffer = io.BytesIO()
    write_po(buffer, new, width=120, omit_header=True, include_lineno=False, sort_by_file=False)
    # A short header of our own: Babel's holds the time, which would change with every run.
    plural = f"nplurals={new.num_plurals}; plural={new.plural_expr};"
    header = (
        f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n'
        f'"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n"Plural-Forms: {plural}\\n"\n\n'
    )
    return header.encode() + buffer.getvalue()


def _constants(tree: ast.Module) -> dict[str, str]:
    """The texts that the module gives a name at its top."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _text(node: ast.expr, constants: dict[str, str]) -> str | None:
    """The text of a literal (parts that follow each other are one literal already) or of a constant of the module."""
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def main() -> None:
    for language in i18n.LANGUAGES:
        content = updated(language)
        path = i18n.catalogue_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
