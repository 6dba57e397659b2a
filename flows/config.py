"""One YAML per field: everything that a lab says about its field, composed of what the packages read of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harvest.config import HarvestConfig
from harvest.field_file import SUFFIXES, find_field, known_fields, parse, run_folder
from harvest.field_settings import absolute
from qagen.config import QAGenConfig
from train.config import GateConfig, ProveConfig, ReleaseConfig, TrainConfig

__all__ = ["SUFFIXES", "FieldConfig", "FieldFile", "find_field", "known_fields", "load_field"]


class FieldConfig(BaseModel):
    """Everything that a lab says about its field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(description="the field in a few words")
    description: str = Field(default="", description="a sentence for reports and cards")
    seed: int = Field(default=0, description="seed of splits, exams, sampling and training")
    harvest: HarvestConfig = HarvestConfig()
    qagen: QAGenConfig
    train: TrainConfig
    prove: ProveConfig = ProveConfig()
    gate: GateConfig = GateConfig()
    release: ReleaseConfig = ReleaseConfig()

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if not self.harvest.sources and not self.qagen.own:
            raise ValueError("name something to learn from: sources under harvest, or pairs of your own under qagen.own")
        return self


@dataclass(frozen=True, slots=True)
class FieldFile:
    """A loaded field: its `name`, the checked settings, the YAML's `path` and the folder of all its runs' files."""

    name: str
    config: FieldConfig
    path: Path
    run: Path


def load_field(name: str) -> FieldFile:
    """Find, parse and check a field's YAML; raises `UsageError` naming file, key, line and nearest valid name."""
    path = find_field(name)
    config = _absolute(parse(path.read_text(encoding="utf-8"), path, FieldConfig), path.parent)
    return FieldFile(path.stem, config, path, run_folder(path))


def _absolute(config: FieldConfig, folder: Path) -> FieldConfig:
    """Paths in the YAML are meant relative to it, wherever the run happens."""
    return config.model_copy(
        update={
            "harvest": absolute(config.harvest, folder),
            "qagen": config.qagen.absolute(folder),
            "train": config.train.absolute(folder),
        }
    )
