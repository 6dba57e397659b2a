r"""The bibliography: \bibitem, .bbl files of BibTeX and biber, and .bib databases where nothing else is there."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from harvest.readers.tex.bibtex import Record, biblatex_records, line, records, surnames, year
from harvest.readers.tex.citations import Entry
from harvest.readers.tex.flow import Flow

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_MAX_ENTRIES = 3000


class Works(Flow):
    """Where the entries of a bibliography are written: each \\bibitem begins a paragraph of its own."""

    def __init__(self, reader: Interpreter) -> None:
        super().__init__()
        self.reader, self.key, self.label, self.text = reader, "", "", ""

    def end_entry(self) -> None:
        """Note the entry that was being written; what stands before the first \\bibitem is no entry."""
        text = self.line()
        if self.key and len(self.reader.citations.entries) < _MAX_ENTRIES:
            self.reader.citations.add(self.key, self.label, text)
        self.key = self.label = ""


def open_bibliography(reader: Interpreter, name: str) -> None:
    r"""\begin{thebibliography}{99}."""
    reader.skip("m" if name == "thebibliography" else "")
    works = Works(reader)
    reader.flows.append(works)

    def closed() -> None:
        while reader.flows[-1] is not works and len(reader.flows) > 1:
            reader.close_flow()
        works.end_entry()
        if len(reader.flows) > 1:
            reader.flows.pop()

    reader.open(name, closed)


def _item(reader: Interpreter) -> None:
    option = reader.source.option()
    label = reader.inline(option) if option else ""
    key = re.sub(r"\s+", " ", "".join(reader.source.argument()).strip())
    works = reader.flows[-1]
    if isinstance(works, Works):
        works.end_entry()
        works.key, works.label = key, label


def _author_year_label(reader: Interpreter) -> None:
    r"""\citeauthoryear{long}{short}{year} in the labels of older styles; some have no long form."""
    first, second = reader.inline(reader.source.argument()), reader.inline(reader.source.argument())
    third = reader.inline(reader.source.argument()) if reader.source.peek() == "{" else ""
    reader.write(f"{second if third else first} ({third or second})")


def _bibliography(reader: Interpreter) -> None:
    databases = "".join(reader.source.argument())
    if (path := _own_bbl(reader)) and "\\entry{" not in reader.tree.files[path]:
        reader.include(path)
    else:
        reader.bibliographies += [name.strip() for name in databases.split(",") if name.strip()]


def _resource(reader: Interpreter) -> None:
    reader.source.option()
    reader.bibliographies.append("".join(reader.source.argument()).strip())


def _print_bibliography(reader: Interpreter) -> None:
    reader.source.option()
    if (path := _own_bbl(reader)) and "\\entry{" not in reader.tree.files[path]:
        reader.include(path)


def _style(reader: Interpreter) -> None:
    reader.citations.style = posixpath.basename("".join(reader.source.argument()).strip())


def _no_cite(reader: Interpreter) -> None:
    for key in "".join(reader.source.argument()).split(","):
        if key.strip() == "*":
            reader.citations.everything = True
        elif key.strip():
            reader.citations.cited.setdefault(key.strip(), len(reader.citations.cited) + 1)


def _own_bbl(reader: Interpreter) -> str | None:
    """The .bbl of this document: of the main file's name, else the only one beside it."""
    stem = posixpath.splitext(reader.main)[0]
    for path in (stem + ".bbl", posixpath.splitext(reader.source.path)[0] + ".bbl"):
        if path in reader.tree.files:
            return path
    others = [path for path in reader.tree.files if path.endswith(".bbl")]
    return others[0] if len(others) == 1 else None


def finish(reader: Interpreter) -> tuple[str, ...]:
    """The entries of the bibliography, one line each, in the order of their numbers; databases are read only now."""
    if not reader.citations.entries:
        _from_databases(reader)
    return tuple(text for entry in reader.citations.entries.values() if (text := reader.marks.fill(entry.text)))


def _from_databases(reader: Interpreter) -> None:
    cited = reader.citations.cited
    wanted = None if reader.citations.everything else cited
    found: dict[str, Record] = {}
    path = _own_bbl(reader)
    if path and "\\entry{" in reader.tree.files[path]:
        found = biblatex_records(reader.tree.files[path])
    for name in dict.fromkeys(reader.bibliographies):
        if database := reader.tree.find(f"{name.removesuffix('.bib')}.bib", reader.main):
            for key, record in records(reader.tree.files[database], wanted).items():
                found.setdefault(key, record)
    for key in _in_order(reader, found)[:_MAX_ENTRIES]:
        record = found[key]
        text = reader.inline_text(line(record))
        reader.citations.put(Entry(key, "", reader.inline_text(surnames(record)), year(record), text))


def _in_order(reader: Interpreter, found: dict[str, Record]) -> list[str]:
    cited = reader.citations.cited
    keys = [key for key in cited if key in found]
    keys += [key for key in found if key not in cited] if reader.citations.everything else []
    if reader.citations.sorted_by_author:
        keys.sort(key=lambda key: (re.sub(r"[\\{}'\"]", "", surnames(found[key])).lower(), year(found[key])))
    return keys


def _doi(reader: Interpreter) -> None:
    r"""\doi{...} belongs to an entry; that of the paper itself is known to its source."""
    text = "".join(reader.source.argument()).replace("\\", "")
    if any(isinstance(flow, Works) for flow in reader.flows):
        reader.write(f"doi:{text.removeprefix('https://doi.org/')}")


COMMANDS: dict[str, Command] = {
    "bibitem": _item,
    "harvarditem": _item,
    "citeauthoryear": _author_year_label,
    "bibliography": _bibliography,
    "addbibresource": _resource,
    "addglobalbib": _resource,
    "printbibliography": _print_bibliography,
    "bibliographystyle": _style,
    "nocite": _no_cite,
    "doi": _doi,
}
