"""The process that reads strangers' files: what it cannot do, what it costs, and that it never takes the run with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvest.confine import landlock_version
from harvest.readers.extract import UnreadableDocument
from harvest.sandbox import LARGEST_ANSWER, Worker

ROOT = Path(__file__).parent.parent
LINUX = sys.platform == "linux"
needs_landlock = pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(not LINUX or os.uname().machine not in ("x86_64", "aarch64"), reason="the filter is for Linux")
# A reader that does what the file says: an attacker who has taken the reader over.
HOSTILE = """
import os, signal, socket, subprocess, sys, time
from harvest.readers.extract import Extract, UnreadableDocument
count = 0

def read(data, name, reading):
    global count
    count += 1
    try:
        said = eval(data)
    except OSError as error:
        said = type(error).__name__
    return Extract(str(said), (), str(count), "hostile/1")

def fill(path):
    with open(path, "w") as file:
        file.write("x" * 10)

def say(data):
    os.write(sys.stderr.fileno(), data)
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    code = tmp_path / "code"
    code.mkdir()
    (code / "hostile.py").write_text(HOSTILE)
    monkeypatch.setenv("PYTHONPATH", str(code))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy")
    worker = Worker(seconds=20, reader="hostile:read")
    yield worker
    worker.close()


def does(worker: Worker, folder: Path, code: str) -> str:
    path = folder / "file.pdf"
    path.write_text(code)
    return worker.read(path).text


def test_a_reader_knows_no_key_of_its_surroundings(hostile: Worker, tmp_path: Path) -> None:
    known = eval(does(hostile, tmp_path, "dict(os.environ)"))  # noqa: S307 (our own test reader)
    assert "PYTHONPATH" in known
    assert not [name for name, value in known.items() if "secret" in value or "password" in value]
    assert "HOME" not in known


@needs_seccomp
@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_UNIX)",
        "socket.getaddrinfo('localhost', 80)",
        "subprocess.run(['true'])",
        "os.execv(sys.executable, [sys.executable])",
        "os.fork()",
        "os.kill(os.getppid(), signal.SIGTERM)",
    ],
)
def test_a_reader_reaches_no_network_and_no_other_process(hostile: Worker, tmp_path: Path, code: str) -> None:
    assert does(hostile, tmp_path, code) in ("PermissionError", "gaierror")
    assert does(hostile, tmp_path, "1 + 1") == "2"


@needs_landlock
def test_a_reader_sees_and_changes_nothing_of_the_disk(hostile: Worker, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for code in (
        f"open({str(secret)!r}).read()",
        f"os.listdir({str(tmp_path)!r})",
        "open(f'/proc/{os.getppid()}/environ').read()",
        "open('/etc/passwd').read()",
        f"open({str(ROOT / 'README.md')!r}).read()",
        f"fill({str(tmp_path / 'new')!r})",
        f"fill({str(secret)!r})",
        f"os.unlink({str(secret)!r})",
        f"os.truncate({str(secret)!r}, 0)",
        f"os.mkdir({str(tmp_path / 'folder')!r})",
        f"os.symlink('/', {str(tmp_path / 'link')!r})",
        f"os.rename({str(secret)!r}, {str(tmp_path / 'moved')!r})",
        "fill('/dev/shm/x')",
    ):
        assert does(hostile, tmp_path, code) in ("PermissionError", "FileNotFoundError"), code
    assert secret.read_text() == "secret"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_where_nothing_else_is_there_no_byte_is_written(tmp_path: Path) -> None:
    code = f"from harvest.confine import _limit; _limit(1 << 32)\nwith open({str(tmp_path / 'f')!r}, 'w') as f: f.write('x')"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert "File too large" in done.stderr
    assert (tmp_path / "f").read_bytes() == b""


def test_too_much_text_is_refused_by_both_sides(hostile: Worker, tmp_path: Path) -> None:
    lie = f"os.write(3, ({LARGEST_ANSWER} + 1).to_bytes(8, 'big') + b'x' * 100) or time.sleep(60)"
    for code in (f"'x' * {LARGEST_ANSWER}", lie):
        with pytest.raises(UnreadableDocument) as refused:
            does(hostile, tmp_path, code)
        assert (refused.value.reason, refused.value.detail) == ("too-large", "its text exceeds 64 MB")
    assert does(hostile, tmp_path, "'well'") == "well"


@pytest.mark.parametrize("answer", [b"[" * 100_000, b"[]", b"{}", b'{"text": 1}', b"\xff\xfe", b""])
def test_an_answer_that_is_no_document_costs_that_document(hostile: Worker, tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        does(hostile, tmp_path, f"os.write(3, {len(answer)}.to_bytes(8, 'big') + {answer!r}) and os._exit(0)")
    assert refused.value.reason == "crashed"


def test_what_libraries_print_is_no_answer_and_floods_nothing(hostile: Worker, tmp_path: Path) -> None:
    assert does(hostile, tmp_path, "print('{}') or say(b'complaint ' * 500_000) or 'read'") == "read"


def test_a_reader_that_hangs_is_ended_and_the_next_document_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "hostile.py").write_text(HOSTILE)
    worker = Worker(seconds=4, reader="hostile:read")
    try:
        assert does(worker, tmp_path, "'ready'") == "ready"
        start = time.monotonic()
        with pytest.raises(UnreadableDocument) as refused:
            does(worker, tmp_path, "time.sleep(60)")
        assert refused.value.reason == "timed-out"
        assert time.monotonic() - start < 30
        assert does(worker, tmp_path, "'still'") == "still"
    finally:
        worker.close()


def test_a_death_costs_the_document_that_is_its_cause_and_no_other(hostile: Worker, tmp_path: Path) -> None:
    deadly = "os.abort()"
    for _ in range(2):
        with pytest.raises(UnreadableDocument) as refused:
            does(hostile, tmp_path, deadly)
        assert refused.value.reason == "crashed"
        assert "signal 6" in refused.value.detail or "Abort" in refused.value.detail
        assert does(hostile, tmp_path, "'next'") == "next"
    # one that dies of what earlier documents left behind is read once more by itself
    assert does(hostile, tmp_path, "os.abort() if count > 1 else 'alone'") == "alone"


def test_a_worker_killed_from_outside_costs_nothing(hostile: Worker, tmp_path: Path) -> None:
    assert does(hostile, tmp_path, "'first'") == "first"
    process = hostile._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    threading.Timer(0.3, process.kill).start()
    assert does(hostile, tmp_path, "'second'") == "second"


def test_memory_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "hostile.py").write_text(HOSTILE)
    worker = Worker(memory=300 << 20, reader="hostile:read")
    try:
        with pytest.raises(UnreadableDocument) as refused:
            does(worker, tmp_path, "len(bytearray(400 << 20))")
        assert refused.value.reason == "too-large"
        assert does(worker, tmp_path, "len(bytearray(10 << 20))") == str(10 << 20)
    finally:
        worker.close()


def test_processes_are_replaced_after_a_while(hostile: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvest.sandbox.DOCUMENTS", 3)
    assert [does(hostile, tmp_path, "count") for _ in range(7)] == ["1", "2", "3", "1", "2", "3", "1"]
