"""Table 1: the text of PDF files against their true text, for fieldsmith and its peers."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from cores import pages_per_second
from gold import SETS, GoldPaper, gold_papers
from measures import Figures, headings, measure, share
from peers import PEERS, Reply, Told, ask
from table import PAPERS, print_table

SECONDS = 1800.0  # for one reader on one set
SHOWN = 3  # failures of a reader on a set that are spelt out; the JSON has all
COLUMNS = {
    "recall": "recall",
    "precision": "precis.",
    "found": "found",
    "in_order": "in order",
    "longest_run": "run",
    "junk": "junk",
    "furniture": "furnit.",
    "rest": "rest",
    "torn": "torn",
    "headings_found": "head.",
    "headings_right": "h.prec.",
}
SPEEDS = {"cold_cpu": "cold/core", "cold_wall": "cold/s", "warm_cpu": "warm/core", "warm_wall": "warm/s"}
log = logging.getLogger(__name__)


def run(papers: Path, tools: Sequence[str] = tuple(PEERS), sets: Sequence[str] = SETS) -> dict[str, Any]:
    """Measure the tools on the sets: `{"sets": {set: {tool: {...}}}, "missing": {tool: why}}`; prints nothing."""
    told: dict[str, Any] = {"sets": {}, "missing": {}}
    for name in sets:
        golds = gold_papers(papers, name)
        pages = [page_count(gold.pdf) for gold in golds]
        told["sets"][name] = {"papers": len(golds), "pages": sum(pages), "tools": {}}
        for tool in tools:
            log.info("%s reads %d papers of %s", tool, len(golds), name)
            reply = ask(tool, [gold.pdf for gold in golds], SECONDS)
            if isinstance(reply, str):
                told["missing"][f"{tool} on {name}"] = reply
            else:
                told["sets"][name]["tools"][tool] = _judged(golds, pages, reply)
        if "fieldsmith" in told["sets"][name]["tools"]:
            told["sets"][name]["readers"] = pages_per_second([gold.pdf for gold in golds], sum(pages))
    return told


def show(told: dict[str, Any], each: bool = False) -> None:
    """Print a table a set: medians over the papers, pages a second over all; with `each` every paper too."""
    for name, found in told["sets"].items():
        print(f"\nPDF text, {name}: {found['papers']} papers, {found['pages']} pages; medians")
        rows = [[tool, *_line(one["median"]), *(f"{one['speed'][key]:.1f}" for key in SPEEDS)] for tool, one in found["tools"].items()]
        print_table(["", *COLUMNS.values(), *SPEEDS.values()], rows)
        if readers := found.get("readers"):
            speeds = ", ".join(f"{speed:.0f} with {count}" for count, speed in readers.items())
            print(f"fieldsmith's pool of readers, pages a second warm: {speeds}")
        for tool, one in found["tools"].items() if each else ():
            print(f"\n{tool} on {name}, paper by paper")
            print_table(["", *COLUMNS.values()], [[paper[:32], *_line(figures)] for paper, figures in one["papers"].items()])
        for tool, one in found["tools"].items():
            for why in list(one["failed"].values())[:SHOWN]:
                print(f"no text ({len(one['failed'])} of {found['papers']}): {tool}: {why}")
    for tool, why in told["missing"].items():
        print(f"missing: {tool}: {why}")


def page_count(pdf: Path) -> int:
    """How many pages a PDF has."""
    import pymupdf

    pymupdf.TOOLS.mupdf_display_errors(False)
    with pymupdf.open(pdf) as pages:
        return int(pages.page_count)


def _judged(golds: Sequence[GoldPaper], pages: Sequence[int], reply: Reply) -> dict[str, Any]:
    papers = {gold.name: _figures(gold, told) for gold, told in zip(golds, reply.told, strict=True)}
    read = [0 if told.failed else count for told, count in zip(reply.told, pages, strict=True)]
    return {
        "version": reply.version,
        "median": {key: _median([figures[key] for figures in papers.values()]) for key in COLUMNS},
        "speed": {
            "cold_cpu": share(sum(read), reply.cold.cpu),
            "cold_wall": share(sum(read), reply.cold.wall),
            "warm_cpu": share(sum(read[: reply.warm.papers]), reply.warm.cpu),
            "warm_wall": share(sum(read[: reply.warm.papers]), reply.warm.wall),
        },
        "failed": {gold.name: told.failed for gold, told in zip(golds, reply.told, strict=True) if told.failed},
        "papers": papers,
    }


def _figures(gold: GoldPaper, told: Told) -> dict[str, float | None]:
    figures: Figures = measure(told.text, gold.paragraphs, gold.whole, gold.language)
    found: tuple[float | None, float | None] = (None, None)
    if gold.headings and told.headings is not None:
        found = headings(told.headings, gold.headings, gold.title)
    return {**asdict(figures), "headings_found": found[0], "headings_right": found[1]}


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _line(figures: dict[str, float | None]) -> list[str]:
    return ["-" if (value := figures[key]) is None else f"{value:.3f}".replace("0.", ".", 1) for key in COLUMNS]


def main() -> None:
    """Run this table alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=Path, default=PAPERS)
    parser.add_argument("--only", default=",".join(PEERS), help=f"readers, of {', '.join(PEERS)}")
    parser.add_argument("--set", dest="sets", default=",".join(SETS), help=f"papers, of {', '.join(SETS)}")
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    asked = parser.parse_args()
    told = run(asked.papers, asked.only.split(","), asked.sets.split(","))
    show(told, each=True)
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
