"""A model as people have it: what `train` left, an adapter, or a whole model, and the base that it is compared with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harvest.store import UsageError, load
from train.config import TrainConfig
from train.models import materialise
from train.plan import read_plan
from train.records import Training
from train.weights import model_folder


@dataclass(frozen=True, slots=True)
class Given:
    """The base (a reference as in `train.models`), the tuned folder (an adapter's or a whole model's), and the settings of its training.

    `out` is the folder of a training of ours; both are None for a model that was trained elsewhere.
    """

    base: str
    tuned: Path
    config: TrainConfig | None = None
    out: Path | None = None

    @property
    def system_prompt(self) -> str | None:
        """What stood before every question in training."""
        return self.config.system_prompt if self.config else None


def given_model(model: str, *, base: str | None = None, adapter: Path | None = None) -> Given:
    """What is meant by `MODEL [--base BASE] [--adapter DIR]`.

    With `adapter`, the model is its base. Without, it is a folder of `python -m train`, an adapter (whose own settings name its base)
    or a whole model (which needs `base`); the latter two may be hub ids. Errors: `UsageError` for what is none of these.
    """
    if adapter is not None:
        return Given(base or model, _existing_adapter(adapter))
    folder = Path(model).expanduser()
    if (folder / "training.json").is_file():
        return _of_training(folder, base)
    where = folder if (folder / "adapter_config.json").is_file() else model_folder(materialise(model), model)
    if (where / "adapter_config.json").is_file():
        return Given(base or _named_base(where), where)
    if base is None:
        raise UsageError(f"{model} is a whole model: name the one that it was trained from, with which it is compared (--base MODEL)")
    return Given(base, where)


def _existing_adapter(adapter: Path) -> Path:
    if not (adapter / "adapter_config.json").is_file():
        raise UsageError(f"{adapter} holds no adapter (adapter_config.json is missing)")
    return adapter


def _of_training(folder: Path, base: str | None) -> Given:
    from train.prove.evaluation import tuned_model

    config = read_plan(folder / "train.plan.json").config if (folder / "train.plan.json").is_file() else None
    training = load(folder / "training.json", Training)
    return Given(base or (config.base if config else training.base), tuned_model(folder), config, folder)


def _named_base(adapter: Path) -> str:
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    named = settings.get("base_model_name_or_path")
    if not named:
        raise UsageError(f"the adapter {adapter} does not say which model it belongs to: name it (--base MODEL)")
    return str(named)
