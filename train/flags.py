"""Command-line flags for settings: named, explained and checked as the settings themselves are.

A flag that is not given says nothing: what stands in the YAML, or else the setting's default, holds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from harvest.field_file import parse
from harvest.store import UsageError, first_problem
from train.config import LoraConfig, MergeConfig, ProveConfig, ReleaseConfig, StageConfig, TrainConfig
from train.entries import SUFFIXES

STAGE = (
    "epochs",
    "max_steps",
    "learning_rate",
    "batch_size",
    "micro_batch",
    "warmup_steps",
    "scheduler",
    "weight_decay",
    "neftune_alpha",
    "max_length",
    "packing",
    "checkpoint_steps",
    "eval_steps",
    "early_stopping",
    "validation",
)
LORA = ("r", "alpha", "dropout", "target_modules", "rslora", "dora")
WHOLE = ("backend", "load_in_4bit", "system_prompt", "report_to", "seeds")

_CALLED = {"r": "rank"}
_LISTS = ("target_modules", "report_to")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: one sentence, exit code 2."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Called by argparse."""
        raise UsageError(f"{self.prog}: {message} (see --help)")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """The hyperparameters that users know; those of a stage are the last stage's."""
    parser.add_argument("--base", help="hub id, folder, GGUF file, or pkg:PACKAGE/FILE")
    parser.add_argument("--config", type=Path, metavar="TRAIN.yaml", help="a YAML whose train: (and prove:) is read, such as a field's")
    _add(parser.add_argument_group("training (the last stage, where --config has several)"), StageConfig, STAGE)
    replay = parser.add_argument_group("against forgetting")
    replay.add_argument("--replay", metavar="FILE|HUB", help="general chats that are learnt again: a file, or a hub id")
    replay.add_argument("--replay-fraction", type=float, metavar="SHARE", help="of the stage's tokens (default: 0.1)")
    replay.add_argument("--merge", metavar="MODEL", help="average the trained weights with those of this model at last")
    replay.add_argument("--merge-weight", type=float, metavar="SHARE", help="of the trained weights (default: 0.75)")
    _add(parser.add_argument_group("the adapter (LoRA)"), LoraConfig, LORA)
    _add(parser.add_argument_group("the rest"), TrainConfig, WHOLE)


def _add(group: Any, model: type[BaseModel], names: tuple[str, ...]) -> None:
    for name in names:
        field = model.model_fields[name]
        kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not type(None)]
        settings: dict[str, Any] = {"dest": f"{model.__name__}.{name}", "default": argparse.SUPPRESS, "help": _help(field)}
        if bool in kinds:
            settings["action"] = argparse.BooleanOptionalAction
        elif get_origin(field.annotation) is Literal:
            settings["choices"] = get_args(field.annotation)
        else:
            settings["metavar"] = "A,B,..." if name in _LISTS else name.rpartition("_")[2].upper()
        group.add_argument(f"--{_CALLED.get(name, name).replace('_', '-')}", **settings)


def _help(field: Any) -> str:
    default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
    said = "" if default is None or "default:" in (field.description or "") else f"(default: {default})"
    return f"{field.description or ''} {said}".strip().replace("%", "%%")


# ---- what is meant by them


class _Train(TrainConfig):
    base: str = ""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    train: _Train = _Train()
    prove: ProveConfig = ProveConfig()
    release: ReleaseConfig = ReleaseConfig()


def read_settings(options: argparse.Namespace) -> tuple[TrainConfig, ProveConfig]:
    """The YAML's settings with those of the flags put in; `UsageError` naming what is wrong."""
    file = _read(options.config)
    data = file.train.model_dump()
    data["base"] = options.base or data["base"]
    if not data["base"]:
        raise UsageError("python -m train: the model that is to be tuned is missing: give --base MODEL")
    given = vars(options)
    data |= _given(given, TrainConfig)
    data["lora"] |= _lora(_given(given, LoraConfig), file.train.lora)
    last = data["stages"][-1] | _given(given, StageConfig)
    data["stages"] = [*data["stages"][:-1], last | {"replay": _replay(options, last["replay"])}]
    data["merge"] = _merge(options, data["merge"])
    try:
        return TrainConfig.model_validate(data), file.prove
    except ValidationError as error:
        raise UsageError(f"python -m train: {first_problem(error)}") from error


def _read(path: Path | None) -> _File:
    if path is None:
        return _File()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the settings {path} cannot be read: {error.strerror}") from error
    file = parse(text, path, _File)
    return file.model_copy(update={"train": file.train.absolute(path.parent)})


def _given(options: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    found = {name.partition(".")[2]: value for name, value in options.items() if name.startswith(f"{model.__name__}.")}
    for name in _LISTS:
        if name in found and found[name] != "all-linear":
            found[name] = [part for part in found[name].split(",") if part and part != "none"]
    return found


def _lora(given: dict[str, Any], file: LoraConfig) -> dict[str, Any]:
    """A rank alone is a rank: alpha keeps its ratio to it."""
    if "r" in given and "alpha" not in given and str(given["r"]).isdecimal():
        given["alpha"] = max(1, round(file.alpha * int(given["r"]) / file.r))
    return given


def _replay(options: argparse.Namespace, file: Any) -> Any:
    if options.replay is None and options.replay_fraction is None:
        return file
    if options.replay is None:
        if file is None:
            raise UsageError("python -m train: --replay-fraction is a share of what --replay names, which is missing")
        return {**file, "fraction": options.replay_fraction}
    source = Path(options.replay)
    place = {"path": source} if source.exists() or source.suffix in SUFFIXES else {"hub": options.replay}
    return place | ({"fraction": options.replay_fraction} if options.replay_fraction is not None else {})


def _merge(options: argparse.Namespace, file: Any) -> Any:
    if options.merge is None and options.merge_weight is None:
        return file
    model = options.merge or (file or {}).get("model")
    if model is None:
        raise UsageError("python -m train: --merge-weight is a share beside the model that --merge names, which is missing")
    weight = options.merge_weight if options.merge_weight is not None else (file or {}).get("weight")
    return MergeConfig.model_construct(model=model, **({"weight": weight} if weight is not None else {})).model_dump()
