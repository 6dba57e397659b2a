"""Two requests in five go wrong, and the process that asks is killed: everything is answered or said, nothing kept is asked again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import teacher
from teacher_kills import CLIENT, kept_keys, kill_and_count

FAULTS = ("--latency", "0.02", "--slots", "32", "--faults", "0.4")


def client(url: str, folder: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(CLIENT), "fieldsmith", "--base-url", url, "--folder", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


@pytest.mark.parametrize("budget", [0, 60])
def test_every_request_is_answered_or_a_failure_and_the_budget_holds(tmp_path: Path, budget: int) -> None:
    arguments = ("--requests", "120", "--concurrency", "32", "--timeout", "0.4", "--budget", str(budget))
    with teacher.local_endpoint(*FAULTS) as url:
        met = client(url, tmp_path, *arguments)
        counted = teacher.stats(url)
    assert set(counted["faults"]) == {"429", "500", "hang", "cut", "garbage", "wrong"}
    assert met["answered"] + met["errors"] == 120
    assert met["answered"] == len(kept_keys(tmp_path)) == counted["answered"]
    assert counted["worked"] <= met["calls"]  # what the endpoint bills is booked
    assert counted["tokens"] <= met["tokens"]
    if budget:
        assert met["calls"] <= budget
        assert "budget of 60 calls" in met["stopped"]
    else:
        assert met["answered"] >= 115


def test_kill_9_repeats_at_most_what_was_in_flight_and_the_budget_outlives_it(tmp_path: Path) -> None:
    with teacher.local_endpoint("--latency", "0.1", "--slots", "32") as url:
        arguments = ["--base-url", url, "--requests", "300", "--concurrency", "16", "--budget", "400"]
        kills = kill_and_count(arguments, tmp_path, lambda: teacher.stats(url), kills=3, each=50)
        counted = teacher.stats(url)
    under_way = [kill.asked - kill.kept for kill in kills]
    assert kills
    assert max(under_way) <= 16
    assert counted["requests"] - 300 <= sum(under_way)
    assert counted["worked"] <= 400
    assert len(kept_keys(tmp_path)) == 300


def test_the_budget_counts_what_was_under_way_at_a_kill(tmp_path: Path) -> None:
    with teacher.local_endpoint("--latency", "0.1", "--slots", "32") as url:
        arguments = ["--base-url", url, "--requests", "400", "--concurrency", "16", "--budget", "120"]
        kill_and_count(arguments, tmp_path, lambda: teacher.stats(url), kills=2, each=20)
        assert teacher.stats(url)["worked"] <= 120
