"""Keys in Prefect Secret blocks, from a real server: there while pairs are written, gone afterwards, never shown."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECRET = "sk-from-a-block-0987654321"  # noqa: S105 - made up

MAKE = """
import sys
from prefect.blocks.system import Secret
Secret(value=sys.argv[2]).save(sys.argv[1])
"""

USE = """
import json, os, sys
from harvest.store import FieldsmithError
from flows.secrets import keys_from_blocks
from qagen.config import QAGenConfig
config = QAGenConfig.model_validate(json.loads(sys.argv[1]))
try:
    with keys_from_blocks(config):
        print(json.dumps({name: value for name, value in os.environ.items() if name.startswith("LAB_")}))
    print(json.dumps({name: value for name, value in os.environ.items() if name.startswith("LAB_")}))
except FieldsmithError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "LAB_"))}
    environment |= {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/health", server)
        environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        subprocess.run([sys.executable, "-c", MAKE, "lab-key", SECRET], env=environment, check=True, capture_output=True)
        yield environment
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - the server of this test
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the Prefect server did not start")


def use(environment: dict[str, str], **roles: object) -> subprocess.CompletedProcess[str]:
    config = json.dumps({"teacher": {"model": "m"}, **roles})
    return subprocess.run([sys.executable, "-c", USE, config], env=environment, capture_output=True, text=True, check=True)


def test_a_key_is_in_the_environment_only_while_it_is_needed(environment: dict[str, str]) -> None:
    teacher = {"model": "m", "api_key_block": "lab-key", "api_key_env": "LAB_TEACHER"}
    judge = {"model": "j", "api_key_block": "lab-key", "api_key_env": "LAB_JUDGE"}
    loud = {**environment, "LAB_JUDGE": "as it was", "PREFECT_LOGGING_LEVEL": "DEBUG", "PREFECT_DEBUG_MODE": "true"}
    done = use(loud, teacher=teacher, judge=judge)
    during, after = done.stdout.splitlines()
    assert json.loads(during) == {"LAB_TEACHER": SECRET, "LAB_JUDGE": SECRET}
    assert json.loads(after) == {"LAB_JUDGE": "as it was"}
    assert SECRET not in done.stderr


def test_a_block_that_is_not_there_is_one_sentence(environment: dict[str, str]) -> None:
    done = use(environment, teacher={"model": "m", "api_key_block": "lba-key"})
    assert done.stdout.startswith("UsageError there is no Secret block `lba-key` on the Prefect server http://127.0.0.1:")
    assert len(done.stdout.splitlines()) == 1


def test_two_keys_for_one_variable_are_refused_before_any_is_fetched(environment: dict[str, str]) -> None:
    nobody = {**environment, "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    done = use(nobody, teacher={"model": "m", "api_key_block": "one"}, judge={"model": "j", "api_key_block": "two"})
    assert "give qagen.judge.api_key_env a name of its own" in done.stdout
    assert json.loads(use(nobody).stdout.splitlines()[0]) == {}  # without blocks nobody is asked
