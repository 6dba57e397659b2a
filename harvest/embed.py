"""Sentence embeddings by name: a static model (model2vec) or a sentence transformer, from a folder, a package or the hub."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harvest.packages import PREFIX, in_package
from harvest.store import FieldsmithError, UsageError

log = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
"""Texts -> an array of shape (texts, dimensions): rows of unit length, or of zeros for a text without a known word."""

# Weights as safetensors only: a pickle from the hub may run code.
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
_BATCH = 4096


def load_embedder(name: str) -> Embed:
    """The embedder of this name: a hub id such as owner/name, a folder, or `pkg:PACKAGE/FOLDER` for a folder in an installed package.

    Static models are read by model2vec (about 15,000 texts a second on a CPU), others by sentence-transformers (about 170).
    Errors: `UsageError` for a name that is none and a library that is missing; `FieldsmithError` for a model that cannot be had.
    """
    folder = _folder(name)
    encode = _static(folder, name) if _is_static(folder) else _transformer(folder, name)
    log.info("sentence embeddings by %s", name)

    def embed(texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, encode(["x"]).shape[1]), dtype=np.float32)
        parts = (encode(list(texts[start : start + _BATCH])) for start in range(0, len(texts), _BATCH))
        return np.concatenate([_unit(part) for part in parts])

    return embed


def _unit(rows: npt.NDArray[Any]) -> Vectors:
    vectors: Vectors = np.asarray(rows, dtype=np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32, copy=False)


# ---- where the model is


def _folder(name: str) -> Path:
    if name.startswith(PREFIX):
        return _model(_in_package(name), name)
    path = Path(name).expanduser()
    if path.is_dir():
        return _model(path, name)
    if path.exists() or not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        raise UsageError(f"{name} is no embedder: give a hub id such as owner/name, a folder of a model, or pkg:PACKAGE/FOLDER")
    return _model(_from_hub(name), name)


def _in_package(name: str) -> Path:
    home, folder = in_package(name, "folder")
    if not folder.is_dir():
        raise UsageError(f"{name} is no folder in the package {home.name}: look for the one that holds config.json")
    return folder


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(_FILES)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise FieldsmithError(
            f"the embedder {name} is neither a folder here nor to be had from the Hugging Face hub ({type(error).__name__}); "
            "correct the name, or download the model and give its folder"
        ) from error


def _model(folder: Path, name: str) -> Path:
    described = any((folder / file).is_file() for file in ("config.json", "modules.json"))
    if not described or not any(next(folder.glob(weights), None) for weights in ("*.safetensors", "*/*.safetensors")):
        raise UsageError(f"{name} is no embedder: its folder needs a config.json or modules.json, and weights as .safetensors")
    return folder


# ---- the libraries


def _is_static(folder: Path) -> bool:
    """Whether it is a table of vectors, one a word piece: said by its own config or by the modules of a sentence transformer."""
    config, modules = _json(folder / "config.json"), _json(folder / "modules.json")
    if isinstance(config, dict) and config.get("model_type") == "model2vec":
        return True
    first = modules[0] if isinstance(modules, list) and modules else {}
    return isinstance(first, dict) and str(first.get("type", "")).endswith("StaticEmbedding")


def _json(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FieldsmithError(f"{path} is no JSON: download the model again") from error


def _static(folder: Path, name: str) -> Callable[[list[str]], npt.NDArray[Any]]:
    _need("model2vec", name)
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(folder)
    return lambda texts: np.asarray(model.encode(texts, use_multiprocessing=False))


def _transformer(folder: Path, name: str) -> Callable[[list[str]], npt.NDArray[Any]]:
    _need("sentence_transformers", name)
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), local_files_only=True, trust_remote_code=False)
    return lambda texts: np.asarray(model.encode(texts, show_progress_bar=False, convert_to_numpy=True))


def _need(library: str, name: str) -> None:
    if importlib.util.find_spec(library) is None:
        raise UsageError(f"the embedder {name} needs {library}, which is not installed: run `pip install fieldsmith[embed]`")
