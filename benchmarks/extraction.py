"""How well harvest reads papers: PDF text, LaTeX, hostile files, a faulty arXiv; one table a part in one run, and JSON.

`python benchmarks/extraction.py [--only pdf,latex,nasty,replay] [--peers fieldsmith,pymupdf] [--papers DIR] [--out FILE.json]`
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import latex_text
import nasty
import pdf_text
import replay_faults
from peers import PEERS
from table import PAPERS

PARTS = ("pdf", "latex", "nasty", "replay")
log = logging.getLogger("benchmarks")


def main() -> None:
    """Run the parts that were asked for, print each as it ends, and write all figures."""
    asked = _asked()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parts: dict[str, Callable[[], Any]] = {
        "pdf": lambda: _shown(pdf_text, pdf_text.run(asked.papers, asked.peers)),
        "latex": lambda: _shown(latex_text, latex_text.run(asked.papers)),
        "nasty": lambda: _shown(nasty, nasty.run(asked.papers)),
        "replay": lambda: _shown(replay_faults, replay_faults.run(asked.replay)),
    }
    told: dict[str, Any] = {"machine": _machine()}
    for name in asked.only:
        began = time.monotonic()
        told[name] = parts[name]()
        sys.stdout.flush()  # a part takes minutes: each is seen as it ends, in a file too
        log.info("part %s took %.0f s", name, time.monotonic() - began)
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=_some(PARTS), default=list(PARTS), help=f"parts, of {', '.join(PARTS)}; all by default")
    parser.add_argument("--peers", type=_some(tuple(PEERS)), default=list(PEERS), help=f"readers of PDF, of {', '.join(PEERS)}")
    parser.add_argument("--papers", type=Path, default=PAPERS, help="the folder of shared papers")
    parser.add_argument("--replay", type=Path, help="serve.py of the replayed arXiv; by default beside the papers")
    parser.add_argument("--out", type=Path, help="write all figures here, as JSON")
    asked = parser.parse_args()
    asked.replay = asked.replay or asked.papers.parent / "arxiv-replay/serve.py"
    if not asked.papers.is_dir():
        parser.error(f"{asked.papers} is not a folder: name the shared papers with --papers or FIELDSMITH_PAPERS")
    if "replay" in asked.only and not asked.replay.is_file():
        parser.error(f"{asked.replay} is not there: name the replayed arXiv with --replay")
    return asked


def _some(names: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        chosen = [name.strip() for name in text.split(",")]
        if unknown := set(chosen) - set(names):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(names)}")
        return chosen

    return parse


def _shown(part: Any, told: dict[str, Any]) -> dict[str, Any]:
    part.show(told)
    return told


def _machine() -> dict[str, Any]:
    return {
        "fieldsmith": version("fieldsmith"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
    }


if __name__ == "__main__":
    main()
