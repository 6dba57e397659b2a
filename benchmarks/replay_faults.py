"""A harvest against the replayed arXiv with every fault on: the same documents, or the missing ones named; and its pace.

`python benchmarks/replay_faults.py [serve.py] [--out FILE.json]`
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from table import PAPERS, print_table

ROOT = Path(__file__).resolve().parent.parent
FEW: dict[str, object] = {"ids": ["9901.00007", "9901.00010", "9901.00013", "9901.00014", "2410.12960"]}  # three LaTeX sources, two PDFs
MANY: dict[str, object] = {"categories": ["physics.acc-ph", "cs.DL", "physics.ao-ph"], "since": "2021-11-01"}
TWO: dict[str, object] = {"ids": ["9901.00012", "9901.00014"]}
FAULTS = ("429", "503", "empty-page", "truncated", "denial", "slow", "hang", "garbage-tar", "wrong-type")
SETTINGS = {"retry_after": 0.2, "seconds": 0.5}
ALONE, TOGETHER = 0.2, 0.1  # probability of a fault that is alone, and of each of all of them: then every second request fails
PROCESSES, INTERVAL = 3, 3.0
AGAIN = 3  # times that a person would start a harvest which stopped, as its message says
HARVEST = """
import json, sys
from pathlib import Path
from harvest.config import HarvestConfig
from harvest.sources import arxiv_search
from harvest.stage import harvest
from harvest.store import FieldsmithError
arxiv_search.PAGE = 3  # so that there are pages
try:
    record = harvest(HarvestConfig.model_validate({"sources": [{"arxiv": json.loads(sys.argv[1])}]}), Path(sys.argv[2]))
except FieldsmithError as error:
    sys.exit(str(error))
"""


def run(replay_server: Path) -> dict[str, Any]:
    """Harvest without faults, with each, with all together (listed by search and by OAI-PMH), and from three processes."""
    with tempfile.TemporaryDirectory() as folder, _server(replay_server, Path(folder)) as site:
        home = Path(folder)
        rows = {}
        calm = _documents(_harvested(site, home / "few", FEW)[0])
        for name in FAULTS:
            settings = FEW if name != "empty-page" else {**MANY, "max_papers": 8}
            expected = calm if name != "empty-page" else _documents(_harvested(site, home / "eight", settings)[0])
            rows[name] = _row(site, home / name, settings, expected, {name: {"prob": ALONE, **SETTINGS}})
        everything = {name: {"prob": TOGETHER, **SETTINGS} for name in FAULTS}
        for listing in ("search", "oai"):
            settings = {**MANY, "listing": listing}
            calm = _documents(_harvested(site, home / f"calm {listing}", settings)[0])
            rows[f"all, {listing}"] = _row(site, home / f"all {listing}", settings, calm, everything)
        return {"faults": rows, "pace": _pace(replay_server, home)}


def show(told: Mapping[str, Any]) -> None:
    """Print what `run` found."""
    heads = (
        "fault",
        "requests",
        "of them faulty",
        "documents without",
        "same",
        "other form",
        "named missing",
        "silently missing",
        "runs",
        "s",
    )
    keys = ("requests", "faulty", "calm", "same", "differ", "named", "lost", "runs", "seconds")
    print("\nThe replayed arXiv with faults")
    print_table(heads, [[name, *(f"{row[key]:.0f}" for key in keys)] for name, row in told["faults"].items()])
    healed = all(row["healed"] for row in told["faults"].values())
    print(f"after the faults ended, another run made up what was missing: {'always' if healed else 'NOT always'}")
    pace = told["pace"]
    print(
        f"{pace['processes']} processes at {pace['interval']:g} s: {pace['requests']} requests, smallest gap {pace['min_gap']:.3f} s "
        f"(API alone {pace['min_gap_api']:.3f} s), at most {pace['max_at_once']} at once, {pace['seconds']:.0f} s"
    )


# ---- one harvest


def _row(site: str, place: Path, settings: Mapping[str, Any], calm: Mapping[str, str], faults: Mapping[str, Any]) -> dict[str, Any]:
    """What a harvest under faults gives, against the documents `calm` of one without, and whether a later one heals it."""
    _post(f"{site}/_reset", {})
    _post(f"{site}/_faults", {**faults, "seed": 7})
    began = time.monotonic()
    _, stops = _harvested(site, place, settings)
    seconds = time.monotonic() - began
    log = _get(f"{site}/_log")
    _post(f"{site}/_faults", {})
    got, named = _documents(place), _named(place)
    told: dict[str, Any] = {
        "requests": len(log),
        "faulty": sum(bool(item["fault"]) for item in log),
        "fired": Counter(item["fault"] for item in log if item["fault"]),
        "calm": len(calm),
        "same": sum(got.get(name) == text for name, text in calm.items()),
        "differ": sum(name in got and got[name] != text for name, text in calm.items()),
        "differently": [_told(place, name) for name, text in calm.items() if got.get(name, text) != text],
        "named": len((calm.keys() - got.keys()) & named),
        "lost": len(calm.keys() - got.keys() - named),
        "runs": len(stops) + 1,
        "stops": stops,
        "seconds": seconds,
    }
    if told["same"] < len(calm):
        _harvested(site, place, settings)
    return {**told, "healed": _documents(place) == dict(calm)}


def _harvested(site: str, place: Path, settings: Mapping[str, Any]) -> tuple[Path, list[str]]:
    """The run's folder, and what the harvest said each time that it stopped early and was started again."""
    stops: list[str] = []
    for _ in range(AGAIN):
        with _harvest(site, place, {"interval": 0.05, **settings}) as process:
            said = process.communicate(timeout=300)[1]
        if process.returncode == 0:
            break
        stops.append(said.strip().splitlines()[-1] if said.strip() else f"status {process.returncode}")
    return place, stops


def _harvest(site: str, place: Path, settings: Mapping[str, Any]) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "FIELDSMITH_ARXIV_URL": site, "XDG_CACHE_HOME": str(place.parent / "cache")}
    return subprocess.Popen([sys.executable, "-c", HARVEST, json.dumps(settings), str(place)], env=env, stderr=subprocess.PIPE, text=True)


def _documents(place: Path) -> dict[str, str]:
    """The hash of each document's text, by id."""
    found = (json.loads(path.read_bytes()) for path in (place / "documents").glob("*.json"))
    return {document["id"]: document["sha256"] for document in found}


def _told(place: Path, name: str) -> dict[str, Any]:
    """Which reader made a document, and its warnings."""
    found = (json.loads(path.read_bytes()) for path in (place / "documents").glob("*.json"))
    return {key: document[key] for document in found if document["id"] == name for key in ("id", "extractor", "warnings")}


def _named(place: Path) -> set[str]:
    """The ids of papers that a harvest says are missing."""
    lines = (path.read_text(encoding="utf-8").splitlines() for path in (place / "rejected" / "harvest").glob("*.jsonl"))
    return {json.loads(line)["id"] for rejections in lines for line in rejections}


# ---- the pace


def _pace(replay_server: Path, home: Path) -> dict[str, Any]:
    """What the server saw of three harvests at once, at arXiv's own interval; it answers 429 to whoever comes sooner."""
    with _server(replay_server, home, "--min-gap", str(INTERVAL)) as site:
        began = time.monotonic()
        running = [_harvest(site, home / f"process {number}", {"interval": INTERVAL, **TWO}) for number in range(PROCESSES)]
        failed = [said for process in running if (said := process.communicate(timeout=300)[1].strip()) and process.returncode]
        seconds = time.monotonic() - began
        stats, log = _get(f"{site}/_stats"), _get(f"{site}/_log")
    return {
        "processes": PROCESSES,
        "interval": INTERVAL,
        "requests": len(log),
        "min_gap": min(after["time"] - before["time"] for before, after in pairwise(log)),
        "min_gap_api": stats["api"]["min_gap"],
        "max_at_once": max(stats["api"]["max_at_once"], stats["content"]["max_at_once"]),
        "refused": sum(item["status"] == 429 for item in log),
        "failed": failed,
        "same": len({tuple(sorted(_documents(home / f"process {number}").items())) for number in range(PROCESSES)}) == 1,
        "seconds": seconds,
    }


# ---- the server


@contextmanager
def _server(script: Path, home: Path, *options: str) -> Iterator[str]:
    command = [sys.executable, str(script), "--port", "0", "--oai-page", "3", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=home) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[1]
        finally:
            server.terminate()


def _get(url: str) -> Any:
    return json.loads(urllib.request.urlopen(url).read())  # noqa: S310


def _post(url: str, value: Mapping[str, Any]) -> None:
    request = urllib.request.Request(url, data=json.dumps(value).encode(), method="POST")  # noqa: S310
    urllib.request.urlopen(request).read()  # noqa: S310


def main() -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "server", type=Path, nargs="?", default=PAPERS.parent / "arxiv-replay/serve.py", help="serve.py of the replay server"
    )
    parser.add_argument("--out", type=Path, help="write all figures here, as JSON")
    asked = parser.parse_args()
    told = run(asked.server.resolve())
    show(told)
    if asked.out:
        asked.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
