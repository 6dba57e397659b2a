from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from small_hub import LARGE, Hub, small_hub

TOKEN = "hf_the_token_of_these_tests"  # noqa: S105
ROOT = Path(__file__).parents[1]
PUSH = """
import json, os, sys
from pathlib import Path
from harvest.store import FieldsmithError
from train.release.hub import push
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.pop("HF_TOKEN", None)
    os.environ |= {"HF_TOKEN": asked["token"]} if asked["token"] else {}
    try:
        print("pushed", push(Path(asked["folder"]), asked["repo"], private=asked["private"]), flush=True)
    except FieldsmithError as error:
        print(error.exit_code, error, flush=True)
"""


class Pusher:
    """A process that pushes: the hub's client reads its address once, when it is imported."""

    def __init__(self, address: str, **more: str) -> None:
        env = {name: value for name, value in os.environ.items() if name not in ("HF_TOKEN", "HF_HUB_OFFLINE")}
        env |= {"PYTHONPATH": str(ROOT), "HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", **more}
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        command = [sys.executable, "-c", PUSH]
        self._process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True)

    def push(self, folder: Path, repo: str = "lab/demo", *, token: str | None = TOKEN, private: bool = True) -> str:
        """What is said of a push: `pushed ADDRESS`, or exit code and sentence."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"folder": str(folder), "repo": repo, "token": token, "private": private}) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline().strip()
        self._log.seek(0)
        log = self._log.read()
        assert said, log
        assert TOKEN not in said + log
        return said

    def close(self) -> None:
        self._process.communicate()
        self._log.close()


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Hub, Pusher]]:
    with small_hub(TOKEN) as hub, closing(Pusher(hub.url)) as pusher:
        yield hub, pusher


@pytest.fixture
def hub(running: tuple[Hub, Pusher]) -> Hub:
    """The hub, empty."""
    hub = running[0]
    for held in (hub.repos, hub.commits, hub.refusals, hub.objects):
        held.clear()
    return hub


@pytest.fixture
def pusher(running: tuple[Hub, Pusher]) -> Pusher:
    return running[1]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    for name, data in {
        "README.md": b"---\nlicense: mit\n---\n# a card\n",
        "adapter/adapter_config.json": b"{}",
        "gguf/demo-Q8_0.gguf": b"G" * (5 * LARGE),
        "中文/说明.txt": "内容".encode(),
        ".release.json.done": b"a note of ours",
        ".parity/f16.jsonl": b"{}",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_a_release_is_pushed_whole_in_one_commit_without_hidden_files(hub: Hub, pusher: Pusher, release: Path) -> None:
    assert pusher.push(release) == f"pushed {hub.url}/lab/demo"
    private, files = hub.repos["lab/demo"]
    assert private
    assert len(hub.commits) == 1
    ours = {path.relative_to(release).as_posix(): path.read_bytes() for path in release.rglob("*") if path.is_file()}
    shown = {name: data for name, data in ours.items() if not name.startswith(".")}
    assert {name: files[name] for name in shown} == shown
    assert not [name for name in files if "parity" in name or name.endswith(".done")]


def test_a_second_push_takes_away_what_the_release_no_longer_has_and_nothing_else(hub: Hub, pusher: Pusher, release: Path) -> None:
    pusher.push(release, private=False)
    (release / "gguf" / "demo-Q8_0.gguf").rename(release / "gguf" / "demo-Q4_K_M.gguf")
    assert pusher.push(release).startswith("pushed")
    private, files = hub.repos["lab/demo"]
    assert not private  # what its owners made of it stays
    assert sorted(name for name in files if name.startswith("gguf/")) == ["gguf/demo-Q4_K_M.gguf"]
    assert "notes/of-a-person.txt" in files
    assert len(hub.commits) == 2


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/repos/create", 403, "may not write to lab/demo"),
        ("/api/models/lab/demo/preupload", 403, "may not write to lab/demo"),
        ("/api/models/lab/demo/commit", 401, "does not accept the token in HF_TOKEN"),
        ("/api/models/lab/demo/commit", 413, "with status 413"),
    ],
)
def test_a_refusal_is_one_sentence(path: str, status: int, said: str, hub: Hub, pusher: Pusher, release: Path) -> None:
    hub.refusals[path] = status
    error = pusher.push(release)
    assert error.startswith("1 ")
    assert said in error
    assert not hub.commits


def test_a_card_that_the_hub_does_not_take_is_said(hub: Hub, pusher: Pusher, release: Path) -> None:
    (release / "README.md").write_text("---\nlicense: nonsense\n---\n# a card\n", encoding="utf-8")
    assert 'does not take the card of lab/demo: Invalid metadata in README.md. - "license" must be one of' in pusher.push(release)
    assert not hub.commits


def test_a_wrong_token_and_none_are_said(hub: Hub, pusher: Pusher, release: Path) -> None:
    assert "does not accept the token in HF_TOKEN" in pusher.push(release, token="hf_wrong")  # noqa: S106
    assert "set HF_TOKEN" in pusher.push(release, token=None)
    assert hub.repos == {}


def test_a_name_that_cannot_be_one_is_a_usage_error(hub: Hub, pusher: Pusher, release: Path) -> None:
    for name in ("no name at all", "../x/y", "a/b/c"):
        error = pusher.push(release, name)
        assert error.startswith("2 release.push_to:"), error


def test_no_connection_and_offline_are_said(release: Path) -> None:
    with closing(Pusher("http://127.0.0.1:9")) as alone, closing(Pusher("http://127.0.0.1:9", HF_HUB_OFFLINE="1")) as offline:
        assert "cannot be reached" in alone.push(release)
        assert "HF_HUB_OFFLINE is set" in offline.push(release)


def test_nothing_is_not_pushed(hub: Hub, pusher: Pusher, tmp_path: Path) -> None:
    assert "there is nothing in" in pusher.push(tmp_path)
    assert hub.repos == {}
