"""The laws of the files of a run: names, whole writes, torn lines, receipts, the lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.records import Paper, Rejection
from harvest.store import (
    FieldsmithError,
    StageRecord,
    append_line,
    fingerprint,
    hold,
    is_done,
    load,
    load_lines,
    mark_done,
    read_manifest,
    record_stage,
    safe_name,
    save,
    save_lines,
    stage_is_current,
    whole_lines,
    write_bytes,
)

ROOT = Path(__file__).parent.parent
HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a\0b",
    "con",
    "-rf",
    "a" * 5000,
    "\ud800",
    "\u00e9",
    "e\u0301",
    ".hidden",
    "arxiv:1v2",
    "a\nb",
]


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process that knows our packages."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True, env=env)


@pytest.mark.parametrize("identifier", HOSTILE)
def test_a_hostile_id_stays_in_its_folder(identifier: str, tmp_path: Path) -> None:
    name = safe_name(identifier)
    path = tmp_path / f"{name}.json"
    path.write_text("x")
    assert path.parent.resolve() == tmp_path.resolve()
    assert path.resolve().parent == tmp_path.resolve()
    assert name
    assert not name.startswith(".")


@given(st.text(), st.text())
def test_different_ids_have_different_names(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(st.text())
def test_nobody_can_take_the_name_of_another_as_an_id(identifier: str) -> None:
    name = safe_name(identifier)
    assert name == identifier or safe_name(name) != name


def test_the_hostile_names_are_all_different() -> None:
    assert len({safe_name(identifier) for identifier in HOSTILE}) == len(HOSTILE)


WRITER = """
import sys
from pathlib import Path
from harvest.store import write_bytes
path, n = Path(sys.argv[1]), 0
print("go", flush=True)
while True:
    n += 1
    write_bytes(path, (b"%d" % (n % 10)) * 3_000_000)
"""


def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "whole"
    write_bytes(path, b"0" * 3_000_000)
    for attempt in range(6):
        with start(WRITER, path) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "go\n"
            time.sleep(0.03 + 0.013 * attempt)
            writer.send_signal(signal.SIGKILL)
        data = path.read_bytes()
        assert len(data) == 3_000_000
        assert len(set(data)) == 1


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    save(path, {"a": 1})
    with pytest.raises(TypeError):
        save(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


@given(st.lists(st.integers(), min_size=1, max_size=5), st.integers(min_value=1, max_value=40))
def test_a_torn_last_line_never_spoils_what_is_appended_next(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], torn: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "replies.jsonl"
    for number in numbers:
        append_line(path, {"n": number, "text": "第一行"})
    path.write_bytes(path.read_bytes() + '{"n": 7, "text": "第二行的一半和更多的文字'.encode()[:torn])
    assert [line["n"] for line in whole_lines(path)] == numbers
    append_line(path, {"n": 99, "text": ""})
    assert [line["n"] for line in whole_lines(path)] == [*numbers, 99]


def test_records_come_back_and_a_wrong_file_is_named(tmp_path: Path) -> None:
    paper = Paper("arxiv:1", "arxiv", "标题", authors=("A", "B"))
    save(tmp_path / "p.json", paper)
    assert load(tmp_path / "p.json", Paper) == paper
    refusals = [Rejection("a", "harvest", "encrypted", "…", 0.5), Rejection("b", "harvest", "no-text")]
    assert save_lines(tmp_path / "r.jsonl", refusals) == 2
    assert list(load_lines(tmp_path / "r.jsonl", Rejection)) == refusals
    (tmp_path / "r.jsonl").write_text('{"id": "a", "stage": "s", "reason": "r"}\n{"id": 3}\n')
    with pytest.raises(FieldsmithError, match=r"r\.jsonl, line 2"):
        list(load_lines(tmp_path / "r.jsonl", Rejection))
    with pytest.raises(FieldsmithError, match=r"r\.jsonl does not hold a Paper"):
        load(tmp_path / "r.jsonl", Paper)


def test_a_receipt_is_good_for_its_key_and_its_file_only(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    assert not is_done(path, "k")
    save(path, 1)
    assert not is_done(path, "k")
    mark_done(path, "k")
    assert is_done(path, "k")
    assert not is_done(path, "other")
    path.unlink()
    assert not is_done(path, "k")


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_a_fingerprint_knows_values_and_not_their_order(values: dict[str, int]) -> None:
    turned = dict(reversed(list(values.items())))
    assert fingerprint(values) == fingerprint(turned)
    assert fingerprint(values) != fingerprint(values, None)
    changed = {**values, next(iter(values)): next(iter(values.values())) + 1}
    assert fingerprint(values) != fingerprint(changed)


def test_the_manifest_keeps_the_last_record_of_each_stage(tmp_path: Path) -> None:
    for print_ in ("1", "2"):
        record_stage(tmp_path, "harvest", StageRecord(print_, {}, {"papers": 1}, {}))
    record_stage(tmp_path, "split", StageRecord("3", {}, {}, {}))
    assert list(read_manifest(tmp_path)) == ["harvest", "split"]
    assert stage_is_current(tmp_path, "harvest", "2")
    assert not stage_is_current(tmp_path, "harvest", "1")


HOLDER = """
import sys, time
from pathlib import Path
from harvest.store import hold
with hold(Path(sys.argv[1]), "the run"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_process_holds_a_folder_and_its_death_frees_it(tmp_path: Path) -> None:
    with start(HOLDER, tmp_path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FieldsmithError, match="another process"), hold(tmp_path, "the run"):
            pass
        holder.send_signal(signal.SIGKILL)
    with hold(tmp_path, "the run"):
        pass
