"""The gate before arXiv: one request at a time, an interval apart, over all processes and after any of them died."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from arxiv_replay import VARIABLE, gathering, replay
from hypothesis import given
from hypothesis import strategies as st

from harvest.polite import LONGEST_PAUSE, Gate, turn

moments = st.floats(0, 1e7)
ENTER = (
    "import time\nfrom harvest.polite import Gate\ng = Gate('x', 0.4)\nwith g.held():\n g.pace(); print('in', flush=True); time.sleep(60)"
)


@given(moments, st.floats(0, 1e6), moments, st.floats(0, 60))
def test_the_turn_comes_neither_too_early_nor_too_late(last: float, pause: float, now: float, interval: float) -> None:
    due = turn(last, pause, now, interval)
    assert due <= now + max(interval, LONGEST_PAUSE)
    if last <= now:
        assert due >= last + interval
        assert due >= last + min(pause, LONGEST_PAUSE)
    assert turn(-math.inf, 0, now, interval) <= now


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 200)), min_size=1), st.floats(0.1, 60))
def test_no_two_requests_are_closer_than_the_interval_whoever_makes_them(steps: list[tuple[float, float]], interval: float) -> None:
    """Steps: how long after the last answer somebody wants to ask, and the pause that the server then asks for."""
    now, stamp, starts = 0.0, (-math.inf, 0.0), []
    for idle, pause in steps:
        now = max(now + idle, turn(*stamp, now + idle, interval))
        starts.append(now)
        stamp = (now, pause)
    assert all(after - before >= interval * (1 - 1e-9) for before, after in pairwise(starts))


def test_three_processes_ask_one_server_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with replay("--min-gap", "0.3") as site, ExitStack() as running:
        monkeypatch.setenv(VARIABLE, site.url)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        site.faults(slow={"prob": 0.3, "seconds": 0.5}, seed=1)
        asked = {"ids": ["9901.00012", "9901.00013"], "interval": 0.3}
        processes = [running.enter_context(gathering(tmp_path / name, **asked)) for name in "abc"]
        assert [process.wait(120) for process in processes] == [0, 0, 0]
        log = site.log
        assert len(log) == 3 * (1 + 2 + 2)  # each: one search, two licences, two sources
        assert min(site.gaps()) >= 0.3
        assert all(after["time"] > before["end"] - 0.1 for before, after in pairwise(log)), "an answer was still coming"
        assert {item["status"] for item in log} == {200}
        assert len({tuple(path.read_bytes() for path in sorted((tmp_path / name).glob("papers/*/paper.pdf"))) for name in "abc"}) == 1


def test_the_gate_survives_a_killed_holder_and_a_torn_or_foreign_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", ENTER], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        entered = time.monotonic()
        holder.send_signal(signal.SIGKILL)
    gate, stamp = Gate("x", 0.4), tmp_path / "fieldsmith" / "polite" / "x.last"
    with gate.held():
        gate.pace()
    assert 0.3 < time.monotonic() - entered < 3
    for text in ("", "nonsense", "nan 0", "0 nan", "-inf inf", f"{time.monotonic() + 1e6} 0"):  # torn, broken, of an earlier boot
        stamp.write_text(text)
        start = time.monotonic()
        with gate.held():
            gate.pace()
        assert 0.39 <= time.monotonic() - start < 3
