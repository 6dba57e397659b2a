"""What harvest reads of a field's YAML when it is used alone; paths in the file are meant relative to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from harvest.config import HarvestConfig, Source
from harvest.field_file import find_field, parse, run_folder
from harvest.store import UsageError


class _HarvestOnly(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    harvest: HarvestConfig


@dataclass(frozen=True, slots=True)
class HarvestFile:
    """The part of a field that harvest reads: the checked settings, the YAML's `path` and the folder of all its runs' files."""

    config: HarvestConfig
    path: Path
    run: Path


def load_harvest(name: str) -> HarvestFile:
    """Find a field and check its `harvest:` alone; raises `UsageError` naming file, key, line and nearest valid name."""
    path = find_field(name)
    config = absolute(parse(path.read_text(encoding="utf-8"), path, _HarvestOnly).harvest, path.parent)
    if not config.sources:
        raise UsageError(f'{path}: there are no sources under harvest:; name one, such as - arxiv: {{query: "cat:physics.acc-ph"}}')
    return HarvestFile(config, path, run_folder(path))


def absolute(config: HarvestConfig, folder: Path) -> HarvestConfig:
    """The settings with paths as they are meant: relative to the YAML, wherever the run happens."""
    return config.model_copy(update={"sources": tuple(_absolute(source, folder) for source in config.sources)})


def _absolute(source: Source, folder: Path) -> Source:
    if source.folder:
        return source.model_copy(update={"folder": source.folder.model_copy(update={"path": folder / source.folder.path.expanduser()})})
    if source.urls and source.urls.file:
        return source.model_copy(update={"urls": source.urls.model_copy(update={"file": folder / source.urls.file.expanduser()})})
    if source.python:
        return source.model_copy(update={"python": source.python.model_copy(update={"folder": folder / source.python.folder.expanduser()})})
    return source
