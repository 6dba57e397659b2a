"""kill -9 at random instants of a process that asks: what had to be asked again may at most have been in flight."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).resolve().parent / "teacher_client.py"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: different requests that had reached the endpoint by then, those kept in ledgers, those the endpoint still had."""

    asked: int
    kept: int
    in_flight: int


def kill_and_count(
    arguments: Sequence[str], folder: Path, stats: Callable[[], dict[str, Any]], *, kills: int, each: int, seed: int = 0
) -> list[Kill]:
    """Start the client so often, and kill it each time after about `each` further requests; then let it end."""
    chance, met = random.Random(seed), list[Kill]()  # noqa: S311 - instants
    command = [sys.executable, str(CLIENT), "fieldsmith", "--folder", str(folder), *arguments]
    for _ in range(kills):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            goal = stats()["requests"] + chance.randint(1, 2 * each)
            while stats()["requests"] < goal and process.poll() is None:
                time.sleep(chance.uniform(0, 0.01))
            if process.poll() is None:
                met.append(_kill(process.pid, folder, stats))
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return met


def _kill(pid: int, folder: Path, stats: Callable[[], dict[str, Any]]) -> Kill:
    os.kill(pid, signal.SIGSTOP)  # so that what is counted is true of the instant of the kill
    counted, kept = stats(), len(kept_keys(folder))
    os.kill(pid, signal.SIGKILL)
    return Kill(counted["asked"], kept, counted["in_flight"])


def kept_keys(folder: Path) -> set[str]:
    """The requests that the ledgers of a folder can answer."""
    lines = (line for path in folder.glob("*.jsonl") for line in path.read_bytes().split(b"\n")[:-1])
    return {value["key"] for line in lines if "content" in (value := json.loads(line))}
