"""A field to Documents: gathers papers from arXiv and folders and reads their text.

Public: `read_document` (one file to one `Document`), `UnreadableDocument`, `document` (a text of a lab's own to one
`Document`), the records, and `HarvestConfig`.
"""

from __future__ import annotations

from harvest.config import HarvestConfig
from harvest.own import document
from harvest.read import UnreadableDocument, read_document
from harvest.records import Document, Paper, Rejection, Section

__all__ = ["Document", "HarvestConfig", "Paper", "Rejection", "Section", "UnreadableDocument", "document", "read_document"]
