"""What qagen reads of a field's YAML when it is used alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harvest.field_file import find_field, parse, run_folder
from harvest.records import PUBLISHABLE
from qagen.config import QAGenConfig


class _Licences(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    publish: tuple[str, ...] = PUBLISHABLE


class _Harvest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    licences: _Licences = _Licences()


class _QAGenOnly(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    seed: int = 0
    qagen: QAGenConfig
    harvest: _Harvest = _Harvest()


@dataclass(frozen=True, slots=True)
class QAGenFile:
    """The part of a field that qagen reads: checked settings, `seed`, what may be published, the YAML's `path`, the folder of its runs."""

    config: QAGenConfig
    seed: int
    publish: tuple[str, ...]
    path: Path
    run: Path


def load_qagen(name: str) -> QAGenFile:
    """Find a field and check its `qagen:` alone; raises `UsageError` naming file, key, line and nearest valid name."""
    path = find_field(name)
    read = parse(path.read_text(encoding="utf-8"), path, _QAGenOnly)
    return QAGenFile(read.qagen.absolute(path.parent), read.seed, read.harvest.licences.publish, path, run_folder(path))
