"""A field's YAML: found by name, checked strictly, answered with the line and the nearest valid name.

Every package reads its own part of the file by these rules when it is used alone; `flows.config.FieldConfig` is the whole.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from harvest.store import UsageError

FOLDERS = ("fields", "examples")
SUFFIXES = (".yaml", ".yml")
Model = TypeVar("Model", bound=BaseModel)


# ---- where fields are


def roots() -> list[Path]:
    """Where fields are looked for: this folder, `FIELDSMITH_HOME`, and the checkout that the package lies in.

    The latter two serve workers, which run in a folder of their own.
    """
    home = os.environ.get("FIELDSMITH_HOME")
    places = [Path.cwd(), *([Path(home)] if home else []), Path(__file__).resolve().parent.parent]
    return list(dict.fromkeys(place.resolve() for place in places))


def known_fields() -> dict[str, Path]:
    """Name and YAML file of every field that can be run from here; the first place wins."""
    found: dict[str, Path] = {}
    for root in roots():
        for folder in FOLDERS:
            for path in sorted((root / folder).glob("*.y*ml")):
                if path.suffix in SUFFIXES:
                    found.setdefault(path.stem, path)
    return found


def find_field(name: str) -> Path:
    """The YAML file of a field, given its name or a path; raises `UsageError` naming the valid ones."""
    if name.endswith(SUFFIXES):
        path = Path(name).expanduser()
        if path.is_file():
            return path.resolve()
        raise UsageError(f"there is no file {name}")
    known = known_fields()
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    valid = ", ".join(sorted(known)) or "none found in fields/ or examples/ here"
    raise UsageError(f"unknown field {name!r}{hint} Valid fields: {valid}" if hint else f"unknown field {name!r}; valid fields: {valid}")


def run_folder(path: Path) -> Path:
    """Where the files of a field's runs go: runs/<name> beside fields/ or examples/, or beside the YAML itself."""
    at_home = path.parent.name in FOLDERS
    return (path.parent.parent if at_home else path.parent) / "runs" / path.stem


# ---- checking, with errors a person can act on


def parse(text: str, path: Path, model: type[Model]) -> Model:
    """Check the text of a field's YAML; paths in it stay as written."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{path}{line}: not YAML ({getattr(error, 'problem', None) or 'cannot be parsed'})") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: a field is a mapping with title, harvest, qagen and train")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UsageError(_explain(error, node, path, model)) from error


def _explain(error: ValidationError, node: yaml.Node | None, path: Path, model: type[BaseModel]) -> str:
    errors = error.errors()
    # A misspelt key is also a missing one; the misspelling is the one to name.
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    keys = tuple(first["loc"])
    line = _line_of(node, keys)
    where = f"{path}, line {line}, {'.'.join(map(str, keys)) or 'top'}"
    if first["type"] == "extra_forbidden":
        return f"{where}: there is no such key{_nearest(keys, model)}"
    if first["type"] == "missing":
        return f"{where}: this key is missing"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def _nearest(keys: tuple[str | int, ...], model: type[BaseModel]) -> str:
    valid = _valid_keys(model, keys[:-1])
    near = get_close_matches(str(keys[-1]), valid, n=1)
    return f"; did you mean {near[0]}?" if near else f"; valid here: {', '.join(valid)}"


def _valid_keys(model: type[BaseModel], keys: tuple[str | int, ...]) -> list[str]:
    """Names that the model at the end of `keys` knows, by way of the JSON Schema."""
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    here: dict[str, Any] = schema
    for key in keys:
        here = here.get("items", here.get("additionalProperties", {})) if isinstance(key, int) else here.get("properties", {}).get(key, {})
        options = [here, *here.get("anyOf", [])]
        target = next((option["$ref"] for option in options if "$ref" in option), None)
        array = next((option for option in options if option.get("type") == "array"), None)
        here = definitions[target.rsplit("/", 1)[-1]] if target else array or here
        if "items" in here and "$ref" in here["items"]:
            here = {"items": definitions[here["items"]["$ref"].rsplit("/", 1)[-1]]}
    return list(here.get("properties", {}))


def _line_of(node: yaml.Node | None, keys: tuple[str | int, ...]) -> int:
    """Line of the innermost key of `keys` that the YAML has, counted from 1."""
    line = node.start_mark.line + 1 if node else 1
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next(((name, value) for name, value in node.value if name.value == str(key)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
    return line
