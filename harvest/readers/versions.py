"""The readers and their versions: a change here makes every document be read again."""

from __future__ import annotations

LATEX = "latex/2"
PDF = "pdf/2"
HTML = "html/1"
MARKDOWN = "markdown/1"
TEXT = "text/1"
EPUB = "epub/1"
DOCX = "docx/1"
BOOKS = "books/1"
OUTLINE = "outline/1"
EXTRACTORS = {
    "latex": LATEX,
    "pdf": PDF,
    "html": HTML,
    "markdown": MARKDOWN,
    "text": TEXT,
    "epub": EPUB,
    "docx": DOCX,
    "books": BOOKS,
    "outline": OUTLINE,
}
