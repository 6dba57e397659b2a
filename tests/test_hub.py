from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_hub import LARGE, Hub, small_hub

TOKEN = "hf_the_token_of_these_tests"
ROOT = Path(__file__).parents[1]
PUSH = """
import sys
from pathlib import Path
from harvest.store import FieldsmithError
from train.release.hub import push
try:
    print("pushed", push(Path(sys.argv[1]), sys.argv[2], private=sys.argv[3] == "private"))
except FieldsmithError as error:
    sys.exit(f"{error.exit_code} {error}")
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with small_hub(TOKEN) as running:
        yield running


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


def push(
    hub: str, folder: Path, repo: str = "lab/demo", *, token: str | None = TOKEN, private: bool = True, **more: str
) -> tuple[str, str]:
    """What the process that pushes says on standard output, and on standard error."""
    env = {name: value for name, value in os.environ.items() if name not in ("HF_TOKEN", "HF_HUB_OFFLINE")}
    env |= {"PYTHONPATH": str(ROOT), "HF_ENDPOINT": hub, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", **more}
    env |= {"HF_TOKEN": token} if token is not None else {}
    command = [sys.executable, "-c", PUSH, str(folder), repo, "private" if private else "public"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert TOKEN not in ran.stdout + ran.stderr
    return ran.stdout.strip(), ran.stderr.strip().splitlines()[-1] if ran.stderr.strip() else ""


def test_a_release_is_pushed_whole_in_one_commit_without_hidden_files(hub: Hub, release: Path) -> None:
    said, _ = push(hub.url, release)
    assert said == f"pushed {hub.url}/lab/demo"
    private, files = hub.repos["lab/demo"]
    assert private
    assert len(hub.commits) == 1
    pushed = {path.relative_to(release).as_posix(): path.read_bytes() for path in release.rglob("*") if path.is_file()}
    assert {name: files[name] for name in pushed if not name.startswith(".")} == {
        name: data for name, data in pushed.items() if not name.startswith(".")
    }
    assert not [name for name in files if "parity" in name or name.endswith(".done")]


def test_a_second_push_takes_away_what_the_release_no_longer_has_and_nothing_else(hub: Hub, release: Path) -> None:
    push(hub.url, release, private=False)
    (release / "gguf" / "demo-Q8_0.gguf").rename(release / "gguf" / "demo-Q4_K_M.gguf")
    said, _ = push(hub.url, release)
    private, files = hub.repos["lab/demo"]
    assert said.startswith("pushed")
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
def test_a_refusal_is_one_sentence(path: str, status: int, said: str, hub: Hub, release: Path) -> None:
    hub.refusals[path] = status
    _, error = push(hub.url, release)
    assert error.startswith("1 ")
    assert said in error
    assert not hub.commits


def test_a_wrong_token_and_none_are_said(hub: Hub, release: Path) -> None:
    assert "does not accept the token in HF_TOKEN" in push(hub.url, release, token="hf_wrong")[1]  # noqa: S106
    assert "set HF_TOKEN" in push(hub.url, release, token=None)[1]
    assert hub.repos == {}


def test_a_name_that_cannot_be_one_is_a_usage_error(hub: Hub, release: Path) -> None:
    for name in ("no name at all", "../x/y", "a/b/c"):
        error = push(hub.url, release, name)[1]
        assert error.startswith("2 release.push_to:"), error


def test_no_connection_and_offline_are_said(release: Path) -> None:
    assert "cannot be reached" in push("http://127.0.0.1:9", release)[1]
    assert "HF_HUB_OFFLINE is set" in push("http://127.0.0.1:9", release, HF_HUB_OFFLINE="1")[1]


def test_nothing_is_not_pushed(hub: Hub, tmp_path: Path) -> None:
    assert "there is nothing in" in push(hub.url, tmp_path)[1]
    assert hub.repos == {}
