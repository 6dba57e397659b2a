"""The readers and their versions: a change here makes every document be read again."""

from __future__ import annotations

LATEX = "latex/1"
PDF = "pdf/1"
EXTRACTORS = {"latex": LATEX, "pdf": PDF}
