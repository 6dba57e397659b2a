"""How well LaTeX sources are read: words, order, formulas, leaked commands and speed, beside other readers in the same run.

The gold is the prose of each source with its mathematics stripped; it was made from the sources by pandoc, or by a crude
detex where pandoc fails, and so it holds words that no reader of the PDF sees (lengths, names of environments). Recall is
given twice: of all words of the gold, and of those in scope: that the printed PDF has too, without author blocks (authors
belong to the Paper). Title and bibliography count as said: they are fields of the Document.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from gold import latex_paragraphs
from latex_gold import author_words, displayed, leaked, prose, shown, styles_of, whole_source
from latex_peers import PEERS, Reading, tree_of
from measures import longest_run, measure, overlap, share, words
from table import PAPERS, print_table

LETTERS = 3  # of a word that is counted
COLUMNS = {
    "recall": "recall of all",
    "scope": "in scope",
    "seen": "recall in scope",
    "found": "found",
    "in_order": "in order",
    "pages": "PDF's own",
    "longest": "longest run",
    "equations": "formulas",
    "leaks": "leaks/1000",
}
_FOOTNOTE = re.compile(r"\[\d+\] ")  # pandoc puts all notes behind the text
log = logging.getLogger("benchmarks")


@dataclass(frozen=True, slots=True)
class Paper:
    """A source and what is known of it: gold prose, the text of the printed pages, its formulas, its author blocks."""

    name: str
    folder: Path
    main: str
    gold: str
    printed: str
    formulas: tuple[str, ...]
    authors: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares 0 to 1 (None where there is nothing to compare); leaks a thousand words of prose."""

    recall: float | None
    scope: float | None
    seen: float | None
    found: float | None
    in_order: float | None
    pages: float | None
    longest: float | None
    equations: float | None
    leaks: float | None


def run(papers: Path, tools: Sequence[str] = tuple(PEERS)) -> dict[str, Any]:
    """Read B_latex and LaTeXML's `structure` and `babel` triples with every tool; prints nothing."""
    sources = [_paper(folder) for folder in sorted((papers / "B_latex").iterdir())]
    triples = sorted((papers / "E_gold/latexml_cc0").glob("*__*.tex"))
    formulas = sum(len(paper.formulas) for paper in sources)
    told: dict[str, Any] = {"papers": len(sources), "formulas": formulas, "triples": len(triples), "tools": {}, "missing": {}}
    for tool in tools:
        if not PEERS[tool].version():
            told["missing"][tool] = f"{PEERS[tool].needs} is not installed"
            continue
        log.info("%s reads %d papers and %d triples", tool, len(sources), len(triples))
        told["tools"][tool] = {"version": PEERS[tool].version(), **_read(tool, sources), "triples": _triples(tool, triples)}
    return told


def show(told: dict[str, Any], each: bool = False) -> None:
    """Print a line a tool (medians over the papers it could read), ours paper by paper, and LaTeXML's triples."""
    print(f"\nLaTeX: {told['papers']} papers with {told['formulas']} formulas on lines of their own, {told['triples']} triples; medians")
    rows = [
        [tool, str(len(one["failed"])), *_line(one["median"]), f"{one['formulas']:.3f}", f"{one['speed']:.1f}",
         str(one["triples"]["failed"]), f"{one['triples']['leaks']:.2f}", f"{one['triples']['recall']:.3f}"]
        for tool, one in told["tools"].items()
    ]  # fmt: skip
    print_table(["", "failed", *COLUMNS.values(), "formulas of all", "papers/s", "triples failed", "leaks/1000", "recall"], rows)
    for tool, one in told["tools"].items():
        if tool == "fieldsmith" or each:
            print(f"\n{tool}, paper by paper")
            print_table(["", *COLUMNS.values()], [[name[:34], *_line(figures)] for name, figures in one["papers"].items()])
        for name, why in one["failed"].items():
            print(f"failed: {tool}: {name}: {why}")
    for tool, why in told["missing"].items():
        print(f"missing: {tool}: {why}")


def _paper(folder: Path) -> Paper:
    from harvest.readers.latex import main_file
    from harvest.readers.source import tree_of_files

    files = tree_of(folder / "src")
    main = main_file(tree_of_files(files), folder.name)
    source = whole_source(files, main)
    gold = (folder / "gold_prose.txt").read_text(encoding="utf-8")
    return Paper(
        folder.name,
        folder / "src",
        main,
        gold,
        printed(folder / "paper.pdf"),
        tuple(displayed(source, styles_of(files))),
        author_words(source),
    )


def printed(pdf: Path) -> str:
    """The text of the pages of a PDF."""
    import pymupdf

    pymupdf.TOOLS.mupdf_display_errors(False)
    with pymupdf.open(pdf) as pages:
        return "\n".join(page.get_text() for page in pages)


def _read(tool: str, sources: Sequence[Paper]) -> dict[str, Any]:
    readings = [PEERS[tool].read(paper.folder, paper.main) for paper in sources]
    good = [(paper, reading) for paper, reading in zip(sources, readings, strict=True) if not reading.failed]
    figures = {paper.name: asdict(_figures(paper, reading)) for paper, reading in good}
    kept = sum(_kept(paper.formulas, reading.text) for paper, reading in good)
    return {
        "failed": {paper.name: reading.failed for paper, reading in zip(sources, readings, strict=True) if reading.failed},
        "median": {key: _median([one[key] for one in figures.values()]) for key in COLUMNS},
        "formulas": share(kept, sum(len(paper.formulas) for paper in sources)) or 0.0,
        "speed": share(len(good), sum(reading.seconds for reading in readings)) or 0.0,
        "papers": figures,
    }


def _figures(paper: Paper, reading: Reading) -> Figures:
    gold = words(paper.gold, LETTERS)
    said = words(f"{_letters(reading.text)}\n{reading.beside}", LETTERS)
    scope = list(((Counter(gold) & Counter(words(paper.printed, LETTERS))) - Counter(words(paper.authors, LETTERS))).elements())
    plain = prose(reading.text)
    paragraphs = [text for text in latex_paragraphs(paper.gold) if not _FOOTNOTE.match(text)]
    order, pages = measure(plain, paragraphs), measure(paper.printed, paragraphs)
    return Figures(
        recall=share(overlap(gold, said), len(gold)),
        scope=share(len(scope), len(gold)),
        seen=share(overlap(scope, said), len(scope)),
        found=order.found,
        in_order=share(order.in_order or 0.0, order.found or 0.0),
        pages=share(pages.in_order or 0.0, pages.found or 0.0),
        longest=longest_run(gold, words(plain, LETTERS)),
        equations=share(_kept(paper.formulas, reading.text), len(paper.formulas)),
        leaks=_rate(leaked(reading.text, paper.printed), plain),
    )


def _letters(text: str) -> str:
    """A text whose formulas keep their letters but lose their commands: the gold has words like "max" out of formulas."""
    return re.sub(r"\\[A-Za-z]+", " ", text)


def _kept(formulas: Sequence[str], text: str) -> int:
    there = shown(text)
    return sum(formula in there for formula in formulas)


def _rate(commands: Sequence[str], plain: str) -> float | None:
    return share(1000 * len(commands), len(words(plain, LETTERS)))


def _triples(tool: str, triples: Sequence[Path]) -> dict[str, Any]:
    """Leaked commands in LaTeXML's small documents, and the share of the words of their pages that were read (page numbers apart)."""
    found, plain, failed, recalls = [], [], 0, []
    for source in triples:
        pages = printed(source.with_suffix(".pdf"))
        reading = _one(tool, source)
        failed += bool(reading.failed)
        found += [f"{source.stem}: {command}" for command in leaked(reading.text, pages)]
        plain.append(prose(reading.text))
        wanted = words(pages, LETTERS)
        recalls.append(share(overlap(wanted, words(f"{_letters(reading.text)}\n{reading.beside}", LETTERS)), len(wanted)))
    return {"failed": failed, "leaked": found, "leaks": _rate(found, "\n".join(plain)) or 0.0, "recall": _median(recalls) or 0.0}


def _one(tool: str, source: Path) -> Reading:
    """One triple read alone: the folder holds them all."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / source.name).write_bytes(source.read_bytes())
        return PEERS[tool].read(Path(folder), source.name)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _line(figures: dict[str, float | None]) -> list[str]:
    return ["-" if (value := figures[key]) is None else f"{value:.3f}" for key in COLUMNS]


def main() -> None:
    """Run this table alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--papers", type=Path, default=PAPERS, help="the folder of shared papers")
    parser.add_argument("--only", default=",".join(PEERS), help=f"readers, of {', '.join(PEERS)}")
    parser.add_argument("--each", action="store_true", help="every reader paper by paper")
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    told = run(asked.papers, asked.only.split(","))
    show(told, asked.each)
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
