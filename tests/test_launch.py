"""The contract of the user's own command, against a real Prefect server in a home and on a port of its own.

The literal command is run on a field whose source folder is missing, which fails early. What a longer or a succeeding
run does is seen on a stand-in flow, entered in the launcher's table by a script; launcher, server and processes are real.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAME = "build-domain-model"
PREFECT = Path(sys.executable).with_name("prefect")

needs_hook = pytest.mark.skipif(
    not entry_points(group="prefect.plugins", name="fieldsmith") or not PREFECT.exists(),
    reason="fieldsmith is not pip-installed beside Prefect, so Prefect does not load its plug-in",
)

BROKEN = """
title: A field whose documents are missing
harvest: {sources: [{folder: {path: nowhere, licence: CC0-1.0}}]}
qagen: {teacher: {model: none, base_url: "http://127.0.0.1:9/v1"}}
train: {base: none}
"""

STANDIN = """
import logging, subprocess, sys, time
from pathlib import Path
from prefect import flow, task
from flows.logs import show_packages

@task
def work(seconds: float, mark: str):
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    Path(mark).write_text(str(child.pid))
    logging.getLogger("harvest.stage").info("still harvesting")
    time.sleep(seconds)

@flow(name="stand-in")
def stand_in(field: str, mark: str, seconds: float = 0.5):
    show_packages()
    work(seconds, mark)
"""

GO = """
import sys
from flows import plugin
plugin.FLOWS["stand-in"] = "standin:stand_in"
from flows.launch import main
if __name__ == "__main__":
    sys.exit(main())
"""

SERVE = """
from standin import stand_in
from prefect.types.entrypoint import EntrypointType
if __name__ == "__main__":
    stand_in.serve(name="stand-in", entrypoint_type=EntrypointType.MODULE_PATH)
"""


# ---- a place to run the command in


@dataclass(frozen=True)
class Place:
    """A checkout-like folder and an environment with a Prefect of its own."""

    folder: Path
    env: dict[str, str]
    port: int

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def start(self, *command: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def literal(self, *options: str) -> subprocess.Popen[str]:
        return self.start(str(PREFECT), "deployment", "run", NAME, *options)

    def standin(self, *options: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        return self.start(sys.executable, "go.py", "stand-in", "--field", "broken", "--mark", str(self.folder / "mark"), *options, env=env)

    def post(self, path: str, body: object) -> Any:
        request = urllib.request.Request(f"{self.api}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  (the server of this test)
            return json.load(answer)

    def runs(self) -> dict[str, dict[str, Any]]:
        return {run["name"]: run for run in self.post("/flow_runs/filter", {"sort": "START_TIME_DESC"})}

    def last_polled(self, deployment: str) -> str | None:
        found = self.post("/deployments/filter", {"deployments": {"name": {"any_": [deployment]}}})
        polled: str | None = found[0]["last_polled"] if found else None
        return polled


def end(process: subprocess.Popen[str], seconds: float = 120) -> str:
    """Output of a command that is to end by itself."""
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"{process.args!r} did not end; it said: {process.communicate()[0]}")


@contextlib.contextmanager
def alive(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended with the block."""
    drain = threading.Thread(target=lambda: [None for _ in process.stdout or ()], daemon=True)
    drain.start()
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def eventually(check: Any, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.3)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "fields").mkdir()
    (folder / "fields" / "broken.yaml").write_text(BROKEN)
    shutil.copy(ROOT / "prefect.toml", folder)
    for name, text in (("standin.py", STANDIN), ("go.py", GO), ("serve.py", SERVE)):
        (folder / name).write_text(text)
    port = free_port()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "FIELDSMITH_"))}
    env |= {
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_RUNNER_POLL_FREQUENCY": "4",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]),
    }
    yield Place(folder, env, port)
    pid = folder / "home" / "server.pid"
    if pid.exists():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(pid.read_text()), signal.SIGTERM)
        eventually(lambda: gone(int(pid.read_text())), 30)


@pytest.fixture(scope="module")
def from_zero(place: Place) -> list[tuple[int, str]]:
    """Code and output of two commands that were started at once where no server ran."""
    commands = [place.standin("--seconds", "0.5"), place.standin("--seconds", "0.5")]
    said = [end(command, 240) for command in commands]
    return [(command.returncode, text) for command, text in zip(commands, said, strict=True)]


@pytest.fixture
def server(place: Place, from_zero: Sequence[tuple[int, str]]) -> Place:
    """The place, with the server that the first commands left."""
    return place


# ---- the command


def test_two_commands_from_zero_start_one_server_which_stays(server: Place, from_zero: Sequence[tuple[int, str]]) -> None:
    assert [code for code, _ in from_zero] == [0, 0]
    assert sum(text.count("Starting a Prefect server") for _, text in from_zero) == 1
    assert all("still harvesting" in text and "completed" in text for _, text in from_zero)
    assert [run["state_type"] for run in server.runs().values()] == ["COMPLETED", "COMPLETED"]
    assert not gone(int((server.folder / "home" / "server.pid").read_text()))


@needs_hook
def test_the_literal_command_runs_here_and_says_in_one_sentence_why_it_failed(server: Place) -> None:
    run = server.literal("--field", "broken", "--tag", "lab", "--flow-run-name", "first-{field}")
    text = end(run)
    assert run.returncode == 1, text
    assert "running here" in text
    last = text.strip().splitlines()[-1]
    assert last.startswith("Run first-broken ended as Failed: ")
    assert "nowhere" in last
    found = server.runs()["first-broken"]
    assert (found["state_type"], found["tags"]) == ("FAILED", ["lab"])


@needs_hook
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--fild broken", "valid options: --field, --max-papers"),
        ("--field brokn", "did you mean broken"),
        ("", "--field is missing; valid fields: "),
        ("--field broken --max-papers many", "--max-papers: "),
    ],
)
def test_a_wrong_command_line_ends_with_code_2_before_anything_starts(tmp_path: Path, place: Place, line: str, said: str) -> None:
    home = {"PREFECT_HOME": str(tmp_path / "home"), "PREFECT_SERVER_API_PORT": str(free_port())}
    run = place.start(str(PREFECT), "deployment", "run", NAME, *line.split(), env=home)
    text = end(run)
    assert run.returncode == 2, text
    assert said in text
    assert len(text.strip().splitlines()) == 1
    assert not (tmp_path / "home" / "fieldsmith-server.log").exists()


@needs_hook
def test_help_shows_the_parameters(place: Place) -> None:
    run = place.literal("--help")
    text = end(run)
    assert run.returncode == 0
    assert all(option in text for option in ("--field", "--max-papers", "--seed", "--refresh", "--no-publish", "--watch"))


@needs_hook
def test_stock_commands_say_the_same_with_and_without_the_hook(place: Place) -> None:
    for command in (["deployment", "run", "--help"], ["deployment", "run", "a/b", "--colour", "red"]):
        on, off = (place.start(str(PREFECT), *command, env={"PREFECT_PLUGINS_ENABLED": value}) for value in ("true", "false"))
        assert (end(on), on.returncode) == (end(off), off.returncode)


@pytest.mark.parametrize(("number", "state"), [(signal.SIGINT, "CANCELLED"), (signal.SIGTERM, "CRASHED")])
def test_a_signal_ends_run_and_children(server: Place, number: signal.Signals, state: str) -> None:
    mark = server.folder / "mark"
    mark.unlink(missing_ok=True)
    name = f"by-{number.name.lower()}"
    run = server.standin("--seconds", "100", "--flow-run-name", name)
    eventually(lambda: mark.exists() and mark.read_text())
    child = int(mark.read_text())
    run.send_signal(number)
    text = end(run, 60)
    assert run.returncode != 0, text
    assert server.runs()[name]["state_type"] == state
    eventually(lambda: gone(child), 10)


def test_cancelling_in_prefect_ends_a_run_in_this_process(server: Place) -> None:
    mark = server.folder / "mark"
    mark.unlink(missing_ok=True)
    # as in the background of a script, where an interrupt is ignored
    deaf = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    options = ("--mark", str(mark), "--seconds", "100", "--flow-run-name", "cancel-me")
    run = server.start(*deaf, sys.executable, "go.py", "stand-in", "--field", "broken", *options)
    eventually(lambda: mark.exists() and mark.read_text())
    server.post(f"/flow_runs/{server.runs()['cancel-me']['id']}/set_state", {"state": {"type": "CANCELLING"}, "force": True})
    end(run, 60)
    assert run.returncode == 1
    assert server.runs()["cancel-me"]["state_type"] == "CANCELLED"


@needs_hook
def test_a_waiting_up_gets_the_run_and_it_is_followed_to_its_end(server: Place) -> None:
    with alive(server.start(sys.executable, "-m", "flows.cli", "up")):
        eventually(lambda: server.last_polled(NAME))
        run = server.literal("--field", "broken", "--watch", "--flow-run-name", "served")
        text = end(run)
    assert run.returncode == 1, text
    assert "handed to the process of `fieldsmith up`" in text
    assert "Beginning flow run" in text
    assert text.strip().splitlines()[-1].startswith("Run served ended as Failed: ")


def test_a_run_for_a_serve_process_that_died_is_run_here_after_a_while(server: Place) -> None:
    with alive(server.start(sys.executable, "serve.py", env={"PREFECT_API_URL": server.api})) as process:
        eventually(lambda: server.last_polled("stand-in"))
        served = server.standin("--flow-run-name", "served-standin")
        text = end(served)
        assert served.returncode == 0, text
        assert "still harvesting" in text
        process.kill()
        process.wait()
    run = server.standin("--flow-run-name", "orphan")
    text = end(run)
    assert run.returncode == 0, text
    assert "running it here" in text
    assert server.runs()["orphan"]["state_type"] == "COMPLETED"


@needs_hook
def test_a_work_pool_counts_only_with_a_live_worker(server: Place) -> None:
    server.post("/work_pools/", {"name": "lab", "type": "process", "base_job_template": _process_template()})
    assert "there are: lab" in end(server.start(sys.executable, "-m", "flows.cli", "up", "--work-pool", "lba"))
    end(up := server.start(sys.executable, "-m", "flows.cli", "up", "--work-pool", "lab"))
    assert up.returncode == 0
    before = set(server.runs())
    text = end(run := server.literal("--field", "broken"))
    assert run.returncode == 1
    assert "prefect worker start --pool lab" in text
    assert set(server.runs()) == before
    with alive(server.start(str(PREFECT), "worker", "start", "--pool", "lab", env={"PREFECT_API_URL": server.api})):
        eventually(lambda: server.post("/work_pools/lab/workers/filter", {}))
        text = end(run := server.literal("--field", "broken", "--flow-run-name", "by-worker"))
    assert run.returncode == 1, text
    assert "handed to a worker of work pool 'lab'" in text
    assert "nowhere" in text.strip().splitlines()[-1]


def _process_template() -> dict[str, Any]:
    from prefect.workers.process import ProcessWorker

    return ProcessWorker.get_default_base_job_template()


# ---- servers that are not to be had


def test_a_dead_api_url_is_said(place: Place) -> None:
    url = f"http://127.0.0.1:{free_port()}/api"
    run = place.standin(env={"PREFECT_API_URL": url})
    text = end(run)
    assert run.returncode == 1
    assert f"PREFECT_API_URL is {url}, but no Prefect server answers there" in text
    assert len(text.strip().splitlines()) == 1


def test_the_server_of_another_home_is_not_used(server: Place, tmp_path: Path) -> None:
    run = server.standin(env={"PREFECT_HOME": str(tmp_path)})
    text = end(run)
    assert run.returncode == 1
    assert f"another PREFECT_HOME ({server.folder / 'home'}; ours is {tmp_path})" in text


class _Teapot(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"I am a teapot")

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def test_another_service_on_the_port_is_said(place: Place, tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Teapot) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        run = place.standin(env={"PREFECT_HOME": str(tmp_path), "PREFECT_SERVER_API_PORT": str(other.server_port)})
        text = end(run)
        other.shutdown()
    assert run.returncode == 1
    assert f"port {other.server_port} of this machine is taken by something that is not a Prefect server" in text
