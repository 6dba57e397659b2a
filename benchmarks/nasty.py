"""Table 3: every hostile or broken file through the sandbox: text, or a reason; no crash, no hang, memory under the limit.

The files are read one after the other by one warm reader, as in a harvest, in a process of their own, so that the peak
memory of its children is that of the reader alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from table import PAPERS, print_table

WIDTH = 88  # characters of a reason that are shown
NAME = 48  # and of a file's name
SECONDS = 3600.0


def run(papers: Path) -> dict[str, Any]:
    """Read all of A_nasty in a process of its own: `{"files": [...], "totals": {...}}`; prints nothing."""
    command = [sys.executable, __file__, "--papers", str(papers), "--json"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", timeout=SECONDS, check=True)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def show(told: dict[str, Any]) -> None:
    """Print a line a file and the totals."""
    print("\nHostile and broken files, through harvest.read_document in the sandbox")
    rows = [[_short(one["file"]), one["outcome"], f"{one['characters'] or ''}", f"{one['seconds']:.2f}"] for one in told["files"]]
    whys = ["", *(one["detail"][:WIDTH] for one in told["files"])]
    print_table(["file", "outcome", "characters", "s"], rows, beside=whys)
    totals = told["totals"]
    print(
        f"{totals['files']} files: {totals['documents']} documents, {totals['rejected']} rejected; "
        f"{totals['crashed']} crashed, {totals['timed_out']} hung, {totals['empty']} documents without text; "
        f"{totals['password']} of {totals['encrypted']} that need a password say so; "
        f"peak memory {totals['peak_mb']:.0f} MB of {totals['limit_mb']:.0f}, {totals['seconds']:.1f} s"
    )
    print("reasons: " + ", ".join(f"{reason} {count}" for reason, count in sorted(totals["reasons"].items())))


def read_all(files: Sequence[Path], root: Path) -> dict[str, Any]:
    """Read the files in this process's own sandbox and sum up."""
    from harvest.read import close_worker
    from harvest.sandbox import MEMORY

    read = [_read(file, root) for file in files]
    close_worker()  # only children that have ended are counted
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    reasons = Counter(one["outcome"] for one in read)
    locked = [one for one in read if one["file"].startswith("encrypted_user_password")]
    documents = reasons.pop("text", 0)
    totals = {
        "files": len(read),
        "documents": documents,
        "rejected": len(read) - documents,
        "crashed": reasons["crashed"],
        "timed_out": reasons["timed-out"],
        "empty": sum(one["outcome"] == "text" and not one["characters"] for one in read),
        "encrypted": len(locked),
        "password": sum("password" in one["detail"] for one in locked),
        "peak_mb": peak,
        "limit_mb": MEMORY / 2**20,
        "seconds": sum(one["seconds"] for one in read),
        "reasons": dict(+reasons),
    }
    return {"files": read, "totals": totals}


def _short(name: str) -> str:
    """A long name without its middle: folder and end tell files apart."""
    return name if len(name) <= NAME else f"{name[: NAME // 2]}…{name[-NAME // 2 + 1 :]}"


def _read(file: Path, root: Path) -> dict[str, Any]:
    from harvest import UnreadableDocument, read_document

    began = time.monotonic()
    try:
        document = read_document(file)
        told: dict[str, Any] = {"outcome": "text", "characters": len(document.text), "detail": "; ".join(document.warnings)}
    except UnreadableDocument as refused:
        told = {"outcome": refused.reason, "characters": 0, "detail": refused.detail}
    return {"file": str(file.relative_to(root)), **told, "seconds": time.monotonic() - began}


def main() -> None:
    """Run this table alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=Path, default=PAPERS)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()
    root = asked.papers / "A_nasty"
    told = read_all(sorted(file for file in root.rglob("*") if file.is_file()), root)
    if asked.json:
        print(json.dumps(told))
    else:
        show(told)


if __name__ == "__main__":
    main()
