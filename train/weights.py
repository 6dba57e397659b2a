"""Weights on disk, one tensor at a time: those of a whole model, and those of a LoRA put into them."""

from __future__ import annotations

import json
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harvest.store import FieldsmithError

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "base_model.model."
"""What PEFT puts before the names of a model's modules."""

HEAD = "lm_head.weight"
INDEX = "model.safetensors.index.json"

_NEEDED = ["*.json", "*.safetensors", "*.model", "*.jinja", "*.txt"]


def model_folder(where: Path | str, reference: str) -> Path:
    """The folder that holds a materialised model; one of the hub is downloaded, or found in its cache."""
    if isinstance(where, Path):
        return where
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(where, allow_patterns=_NEEDED, ignore_patterns=["consolidated*"]))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise FieldsmithError(f"the model {reference} cannot be had from the hub: {str(error).strip().splitlines()[0]}") from error


class Weights:
    """The safetensors files of a model's folder; use it in a `with`.

    `names` are those of all weights, without an output layer that is only another name of the embeddings.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open = ExitStack()
        self._files: dict[Path, Any] = {}
        self._places = self._find()
        self.names = frozenset(self._places)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def tensor(self, name: str) -> Tensor:
        """One tensor, read now."""
        found: Tensor = self._file(self._places[name]).get_tensor(name)
        return found

    def _find(self) -> dict[str, Path]:
        places = {name: file for file in self._listed() for name in self._file(file).keys()}  # noqa: SIM118 - it is no mapping
        if any(name.endswith((".absmax", ".qweight", ".scales", ".weight_scale")) for name in places):
            raise FieldsmithError(f"the weights in {self.folder} are quantised, which cannot be averaged: give the 16-bit version")
        if json.loads((self.folder / "config.json").read_text(encoding="utf-8")).get("tie_word_embeddings"):
            places.pop(HEAD, None)
        return places

    def _listed(self) -> list[Path]:
        """The files that the index names, or the only one there is; some folders hold the same weights a second time, in another layout."""
        if (self.folder / INDEX).is_file():
            named = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
            return [self.folder / Path(name).name for name in sorted(set(named))]
        files = [self.folder / "model.safetensors"]
        if not files[0].is_file():
            raise FieldsmithError(f"{self.folder} holds no weights as safetensors: give a model that is kept in this format")
        return files

    def _file(self, file: Path) -> Any:
        from safetensors import SafetensorError, safe_open

        if file not in self._files:
            try:
                self._files[file] = self._open.enter_context(safe_open(file, framework="pt"))
            except (SafetensorError, OSError) as error:
                raise FieldsmithError(f"{file} cannot be read as safetensors ({error}): fetch or write it anew") from error
        return self._files[file]


class Lora:
    """An adapter's weights, put into one weight of the base at a time."""

    def __init__(self, adapter: Path) -> None:
        from peft import PeftConfig
        from safetensors.torch import load_file

        if not (adapter / "adapter_config.json").is_file():
            raise FieldsmithError(f"{adapter} holds no adapter (adapter_config.json is missing): train one first")
        self.adapter = adapter
        self.config = PeftConfig.from_pretrained(str(adapter))
        self._whole: dict[str, Tensor] = {}
        self._parts: dict[str, dict[str, Tensor]] = {}
        for name, tensor in load_file(adapter / "adapter_model.safetensors").items():
            self._sort_in(name.removeprefix(PREFIX), tensor)

    def _sort_in(self, name: str, tensor: Tensor) -> None:
        module, found, part = name.partition(".lora_")
        if found:
            self._parts.setdefault(f"{module}.weight", {})[f"lora_{part}"] = tensor
        else:  # a module that was trained as a whole
            self._whole[name] = tensor

    def check_places(self, names: frozenset[str]) -> None:
        """`FieldsmithError` unless each of the adapter's weights belongs to one of these."""
        lost = sorted((self._parts.keys() | self._whole.keys()) - names)
        if lost:
            raise FieldsmithError(f"the adapter in {self.adapter} changes {lost[0]}, which its base model does not have")

    def merged(self, name: str, weight: Tensor) -> Tensor:
        """A new float32 tensor: the weight as the adapter has changed it."""
        if name in self._whole:
            return self._whole[name].float().clone()
        if name not in self._parts:
            return weight.float().clone()
        return self._by_peft(name.removesuffix(".weight"), weight, self._parts[name])

    def _by_peft(self, module: str, weight: Tensor, parts: dict[str, Tensor]) -> Tensor:
        """PEFT merges a layer of its own making, which stands under the same name: all its kinds of LoRA, patterns of ranks included."""
        import torch
        from peft import inject_adapter_in_model, set_peft_model_state_dict

        if weight.ndim != 2 or any("embedding" in part for part in parts):
            raise FieldsmithError(f"the adapter in {self.adapter} changes {module}, which is no linear layer: that cannot be averaged")
        rows, columns = weight.shape
        layer = torch.nn.Linear(columns, rows, bias=False)
        layer.weight.data = weight.float().clone()
        holder = _nested(module, layer)
        with warnings.catch_warnings():  # patterns of ranks name layers that this one is not
            warnings.filterwarnings("ignore", "The following .*_pattern keys did not match", RuntimeWarning)
            injected = inject_adapter_in_model(self.config, holder)
        state = {f"{PREFIX}{module}.{part}": tensor.float() for part, tensor in parts.items()}
        result = set_peft_model_state_dict(injected, state)
        if result.unexpected_keys:
            raise FieldsmithError(f"the adapter in {self.adapter} holds {result.unexpected_keys[0]}, which PEFT cannot merge here")
        changed = injected.get_submodule(module)
        changed.merge()
        whole: Tensor = changed.get_base_layer().weight.data
        return whole


def _nested(module: str, layer: Any) -> Any:
    """A model that holds nothing but this layer, under this name."""
    import torch

    holder = layer
    for part in reversed(module.split(".")):
        outer = torch.nn.Module()
        outer.add_module(part, holder)
        holder = outer
    return holder
