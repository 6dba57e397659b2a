"""Text recognition for pages that are pictures: MuPDF's own Tesseract, with the language files of an installed one.

MuPDF brings the program but no language: those are found where `TESSDATA_PREFIX` says or where an installed Tesseract keeps them.
No other program is started, so it works where none may be.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from harvest.readers.hidden import Sheet

DPI = 300  # what Tesseract was trained for
_MOST_PIXELS = 3e7  # of the picture of a page: A3 at 300 dpi; a larger page is drawn coarser
_FEWEST_DPI = 60  # below this no letters are left: a page so large is no paper


def missing(language: str) -> str:
    """What must be installed before `language` (such as eng+deu) can be recognised; empty if nothing."""
    folder = tessdata()
    if folder is None:
        return "install Tesseract"
    lacking = [name for name in language.split("+") if not (folder / f"{name}.traineddata").is_file()]
    return f"install Tesseract's language {' and '.join(lacking)}" if lacking else ""


def tessdata() -> Path | None:
    """The folder of Tesseract's language files, None if there is none."""
    named = os.environ.get("TESSDATA_PREFIX")
    if named:
        return Path(named) if Path(named).is_dir() else None
    program = shutil.which("tesseract") or ("/usr/bin/tesseract" if sys.platform != "win32" else "")
    if not program:
        return None
    beside = Path(program).resolve().parent
    share = beside.parent / "share"
    places = [*sorted(share.glob("tesseract-ocr/*/tessdata"), reverse=True), share / "tessdata", beside / "tessdata"]
    return next((place for place in places if any(place.glob("*.traineddata"))), None)


def recognised(sheet: Sheet, language: str) -> list[dict[str, Any]]:
    """The lines of a page as its picture shows them, as PyMuPDF's dictionaries; call `missing` before."""
    import pymupdf

    folder, (x0, y0, x1, y1) = tessdata(), sheet.box
    dpi = int(min(DPI, 72 * (_MOST_PIXELS / max((x1 - x0) * (y1 - y0), 1.0)) ** 0.5))
    if folder is None or dpi < _FEWEST_DPI:
        return []
    text = sheet.page.get_textpage_ocr(flags=pymupdf.TEXT_PRESERVE_WHITESPACE, language=language, dpi=dpi, full=True, tessdata=str(folder))
    return [line for block in text.extractDICT()["blocks"] for line in block.get("lines", ())]
