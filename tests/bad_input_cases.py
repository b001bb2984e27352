"""Every kind of bad file and folder that docs/bad-input.md lists, each really made."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prolip_core import config, image_files, images
from prolip_core.errors import ProLIPError
from tests import image_factory as factory

HTML = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not found</body></html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n"
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>'
NO_RIGHT = "file without the right to read"
MP4 = factory.isobmff(b"isom", b"iso2", b"mp41")


@dataclass(frozen=True)
class BadInput:
    """One row: what it is, and a function that makes it in an empty folder and uses it as the product does."""

    what: str
    use: Callable[[Path], object]


def _content(what: str, name: str, make: Callable[[], bytes]) -> BadInput:
    def use(folder: Path) -> object:
        path = folder / name
        path.write_bytes(make())
        return images.check(image_files.read_file(path), name)

    return BadInput(what, use)


def _path(what: str, name: str, make: Callable[[Path], object]) -> BadInput:
    def use(folder: Path) -> object:
        make(folder / name)
        return image_files.read_file(folder / name)

    return BadInput(what, use)


def _folder(what: str, *files: str, name: str = "photos", folders: tuple[str, ...] = ()) -> BadInput:
    def use(folder: Path) -> object:
        root = folder / name
        for file in files:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_bytes(factory.jpeg())
        for empty in folders:
            (root / empty).mkdir(parents=True)
        return image_files.class_folders(root)

    return BadInput(what, use)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(config.MAX_IMAGE_BYTES + 1)


def _no_right(folder: Path) -> object:
    path = folder / "photo.jpg"
    path.write_bytes(factory.jpeg())
    path.chmod(0)
    root = os.geteuid() == 0
    if root:  # root may read everything, so the rights of "nobody" are taken on for a moment
        os.seteuid(65534)
    try:
        return image_files.read_file(path)
    finally:
        if root:
            os.seteuid(0)


def _changed(folder: Path) -> object:
    path = folder / "photo.jpg"
    path.write_bytes(factory.jpeg(1))
    _, paths = image_files.import_files([path])
    path.write_bytes(factory.jpeg(2))
    return image_files.FolderSource(paths).read(next(iter(paths)))


def _root_is_a_file(folder: Path) -> object:
    (folder / "photo.jpg").write_bytes(factory.jpeg())
    return image_files.class_folders(folder / "photo.jpg")


def _class_without_a_usable_photo(folder: Path) -> None:
    path = folder / "IMG_1.jpg"
    path.write_bytes(b"")
    image_files.require_photos("scratch", image_files.import_files([path])[0])


CASES: tuple[BadInput, ...] = (
    _content("empty file", "photo.jpg", lambda: b""),
    _content("text called .jpg", "photo.jpg", lambda: b"photos from Monday, second shift\n"),
    _content("web page saved as .jpg", "photo.jpg", lambda: HTML),
    _content("Git LFS pointer", "photo.jpg", lambda: LFS),
    _content("unknown binary data", "photo.jpg", lambda: b"\x01\x02\x03\x04" * 64),
    _content("ZIP archive", "photos.zip", lambda: b"PK\x03\x04" + bytes(100)),
    _content("video", "clip.mp4", lambda: MP4),
    _content("JPEG cut short", "photo.jpg", lambda: factory.cut(factory.jpeg())),
    _content("JPEG with nothing but its header", "photo.jpg", lambda: factory.jpeg()[:20]),
    _content("JPEG whose second half is zeros", "photo.jpg", lambda: factory.cut(factory.jpeg()) + bytes(4000)),
    _content("PNG cut short", "photo.png", lambda: factory.cut(factory.encode(factory.photo(), "PNG"))),
    _content("PNG with a wrong check sum", "photo.png", factory.png_with_wrong_check_sum),
    _content("WebP cut short", "photo.webp", lambda: factory.cut(factory.encode(factory.photo(), "WebP"))),
    _content("HEIC cut short", "photo.heic", lambda: factory.cut(factory.encode(factory.photo(), "HEIC"))),
    _content("AVIF cut short", "photo.avif", lambda: factory.cut(factory.encode(factory.photo(), "AVIF"))),
    _content("TIFF cut short", "photo.tif", lambda: factory.cut(factory.encode(factory.photo(), "TIFF"))),
    _content("BMP cut short", "photo.bmp", lambda: factory.cut(factory.encode(factory.photo(), "BMP"))),
    _content("GIF cut short", "photo.gif", lambda: factory.cut(factory.encode(factory.photo(), "GIF"))),
    _content("picture of width zero", "photo.png", lambda: factory.png_declaring(0, 100)),
    _content("picture of 1 × 1 pixel", "photo.png", lambda: factory.encode(factory.photo(0, 1, 1), "PNG")),
    _content("more pixels than the limit", "photo.png", lambda: factory.png_declaring(12_001, 10_000)),
    _content("decompression bomb", "photo.png", lambda: factory.png_declaring(60_000, 60_000)),
    _path("more bytes than the limit", "photo.jpg", _huge),
    _content("SVG drawing", "logo.svg", lambda: SVG),
    _content("PDF document", "scan.pdf", lambda: b"%PDF-1.7\n" + bytes(100)),
    _content("Photoshop file", "photo.psd", lambda: b"8BPS\0\1" + bytes(100)),
    _content("icon", "favicon.ico", lambda: b"\0\0\1\0\1\0" + bytes(100)),
    _content("JPEG 2000", "photo.jp2", lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100)),
    _content("camera raw, Canon CR2", "IMG_1.CR2", factory.cr2),
    _content("camera raw, Canon CR3", "IMG_1.CR3", lambda: factory.isobmff(b"crx ", b"isom")),
    _content("camera raw, Nikon NEF", "DSC_1.NEF", factory.nef),
    _content("camera raw, DNG", "photo.dng", factory.dng),
    _path("folder called .jpg", "photo.jpg", Path.mkdir),
    BadInput(NO_RIGHT, _no_right),
    _path("link to nothing", "photo.jpg", lambda path: path.symlink_to("gone.jpg")),
    _path("file that vanished", "photo.jpg", lambda path: None),
    BadInput("file that was changed after it was added", _changed),
    BadInput("folder that is not there", lambda folder: image_files.class_folders(folder / "photos")),
    BadInput("file in place of a folder", _root_is_a_file),
    _folder("no class folder", folders=("",)),
    _folder("photos without class folders", "IMG_1.jpg", "IMG_2.jpg"),
    _folder("photos beside the class folders", "good/1.jpg", "scratch/1.jpg", "IMG_1.jpg"),
    _folder("one class only", "good/1.jpg"),
    _folder("folder above train and test", "train/good/1.jpg", "test/good/1.jpg"),
    _folder("class folder without a file", "good/1.jpg", "scratch/1.jpg", folders=("dent", "stain")),
    _folder("one class name in two spellings", "\u304c/1.jpg", "\u304b\u3099/1.jpg", "good/1.jpg"),
    BadInput("class whose photos were all refused", _class_without_a_usable_photo),
)

HEADER = """# Bad input

What happens with a file or a folder that cannot be used. A test makes each row for real and compares this page with
what the engine says; `python -m tests.bad_input_cases > docs/bad-input.md` writes it anew. One bad file costs nothing
but itself: the other files of the same folder are accepted.

Passed over without a word: what systems leave behind (`.DS_Store`, `Thumbs.db`, `desktop.ini`, `__MACOSX`, names that
begin with a dot). Accepted in spite of damage: a JPEG whose bytes were changed while its structure is whole (JPEG has
no check sum), damaged metadata, and a damaged colour profile, which is ignored. The same bytes a second time are no
error: the file is listed as a duplicate of the first.

| what | error | message | remedy |
|---|---|---|---|
"""


def row(case: BadInput, folder: Path) -> str:
    """The table row; the folder of the test stands as `…`."""
    try:
        case.use(folder)
    except ProLIPError as error:
        texts = [text.replace(str(folder), "…").replace("|", "\\|") for text in (error.reason_text, error.remedy_text)]
        return f"| {case.what} | {type(error).__name__} | {texts[0]} | {texts[1]} |"
    return f"| {case.what} | accepted | | |"


def page() -> str:
    """The whole of docs/bad-input.md."""
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(case, Path(folder)))
    return HEADER + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
