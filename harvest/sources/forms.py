"""In what forms a paper may lie in a folder, and which of them is trusted most.

LaTeX says what its author wrote; a web page, an EPUB and a Word document say what is a heading and a formula; Markdown says less of
it; a PDF says only where letters stand; a text says nothing. So where a paper is there in several forms, they are tried in this order.
"""

from __future__ import annotations

# suffix of a file -> the name under which it is kept in papers/<id>/
FORMS = {
    ".tar.gz": "source.tar.gz",
    ".tgz": "source.tar.gz",
    ".tar": "source.tar",
    ".tex.gz": "source.gz",
    ".tex": "source.tex",
    ".gz": "source.gz",
    ".html": "paper.html",
    ".htm": "paper.html",
    ".xhtml": "paper.html",
    ".epub": "paper.epub",
    ".docx": "paper.docx",
    ".md": "paper.md",
    ".markdown": "paper.md",
    ".pdf": "paper.pdf",
    ".txt": "paper.txt",
    ".text": "paper.txt",
}
TRUST = tuple(dict.fromkeys(FORMS.values()))


def form_of(name: str) -> tuple[str, str] | None:
    """The stem of a file name and the name under which its form is kept; None for what is no document."""
    low = name.lower()
    suffix = next((suffix for suffix in sorted(FORMS, key=len, reverse=True) if low.endswith(suffix) and len(low) > len(suffix)), None)
    return (name[: -len(suffix)], FORMS[suffix]) if suffix else None
