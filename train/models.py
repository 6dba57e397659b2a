"""A model by its reference: a file in a package, a GGUF file, a folder or a hub id -> something that can be loaded.

resolve      reference -> path or hub id          reads nothing
materialise  reference -> folder or hub id        converts a GGUF once, into a cache
load         reference -> (model, tokenizer)      for inference
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from harvest.packages import PREFIX, in_package
from harvest.store import FieldsmithError, safe_name, sha256_file
from train.gguf_tokenizer import build_tokenizer

log = logging.getLogger(__name__)

CONVERTER = 1
"""Raise it when what is written for the same GGUF file changes: converted folders of other versions are not used."""


# ---- where a model is


def resolve(reference: str) -> Path | str:
    """Where a model is: a path for a file or folder of this machine, the same string for a hub id.

    `pkg:PACKAGE/FILE` is a file inside an installed package (found without importing it). Errors: `FieldsmithError`
    for a package that is not installed and for a file that is not there.
    """
    if reference.startswith(PREFIX):
        return _in_package(reference)
    path = Path(reference).expanduser()
    if path.suffix.lower() == ".gguf":
        if not path.is_file():
            raise FieldsmithError(f"there is no file {path}: give the path of a GGUF file, a model's folder or a hub id")
        return path
    if path.is_dir():
        return _model_folder(path, reference)
    if path.exists() or not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", reference):
        raise FieldsmithError(
            f"{reference} is no model: give a hub id such as owner/name, a folder with a config.json, a .gguf file, or pkg:PACKAGE/FILE"
        )
    return reference


def _in_package(reference: str) -> Path:
    home, path = in_package(reference, "file")
    if path.is_dir():
        return _model_folder(path, reference)
    if not path.is_file():
        held = ", ".join(sorted(str(found.relative_to(home)) for found in home.rglob("*.gguf"))) or "no GGUF file"
        raise FieldsmithError(f"the package {home.name} has no {path.relative_to(home)}; it holds {held}")
    return path


def _model_folder(path: Path, reference: str) -> Path:
    if not (path / "config.json").is_file():
        raise FieldsmithError(f"{reference} is a folder without a config.json: give the folder that holds the model itself")
    return path


def identity(reference: str) -> object:
    """What tells a base model from another under the same name; the hub's own are told by their id."""
    where = resolve(reference)
    if isinstance(where, str):
        return where
    if where.is_file():
        return sha256_file(where)
    return [[path.name, path.stat().st_size] for path in sorted(where.iterdir()) if path.is_file()]


# ---- GGUF -> folder, once


def materialise(reference: str) -> Path | str:
    """A Hugging Face folder (or hub id) that `from_pretrained` reads; a GGUF is converted once, into the cache.

    The cache is `$FIELDSMITH_CACHE` or `~/.cache/fieldsmith`, its key the file's SHA-256 and the converter's version.
    A folder is there as a whole or not at all; a second process waits for the first. A converted model holds float32
    weights (4 bytes a parameter), which a CPU computes with fastest.
    """
    where = resolve(reference)
    if isinstance(where, str) or where.is_dir():
        return where
    if where.suffix.lower() != ".gguf":
        raise FieldsmithError(f"{reference} is not a GGUF file: the only single-file models that can be read end in .gguf")
    folder = cache_folder() / "models" / f"{safe_name(where.stem)}-{sha256_file(where)[:16]}-v{CONVERTER}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if not folder.is_dir():
            _convert(where, folder)
    return folder


def cache_folder() -> Path:
    """Where converted models are kept between runs."""
    return Path(os.environ.get("FIELDSMITH_CACHE") or Path.home() / ".cache" / "fieldsmith")


def _convert(file: Path, folder: Path) -> None:
    log.info("converting %s (once) to %s", file.name, folder)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed; the lock says that it is gone
    tokenizer, ends = build_tokenizer(file)
    model = _read_weights(file)
    model.config.bos_token_id, model.config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    model.config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.bos_token_id, model.generation_config.eos_token_id = tokenizer.bos_token_id, ends
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    partial.rename(folder)


def _read_weights(file: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    except (ValueError, NotImplementedError) as error:  # what transformers raises for an architecture it does not know
        raise FieldsmithError(f"{file} cannot be converted: {error}; give the model as a folder or hub id instead") from error
    # The weights are plain floats from here on: nothing may say that they are still quantised.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model


# ---- for inference


def load(reference: str, *, adapter: Path | None = None) -> tuple[Any, Any]:
    """(model, tokenizer) for inference: float32 on a CPU, bfloat16 on CUDA, in eval mode, with the adapter put on."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = str(materialise(reference))
    cuda = torch.cuda.is_available()
    try:
        tokenizer = AutoTokenizer.from_pretrained(where)
        model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.bfloat16 if cuda else torch.float32)
    except OSError as error:  # transformers' word for: not on the hub, not in its cache, hub out of reach, broken folder
        raise FieldsmithError(f"the model {reference} cannot be loaded: {str(error).splitlines()[0]}") from error
    if adapter is not None:
        model = _with_adapter(model, adapter)
    return model.to("cuda" if cuda else "cpu").eval(), tokenizer


def _with_adapter(model: Any, adapter: Path) -> Any:
    from peft import PeftModel

    if not (adapter / "adapter_config.json").is_file():
        raise FieldsmithError(f"{adapter} holds no adapter (adapter_config.json is missing): train one first")
    return PeftModel.from_pretrained(model, str(adapter))
