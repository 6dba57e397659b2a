"""The command line of `prefect deployment run NAME`: flow parameters as options, next to the stock ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from flows.plugin import STOCK_OPTIONS
from harvest.store import UsageError

Schema = Mapping[str, Any]


@dataclass(slots=True)
class Request:
    """What was asked for. `stock` holds the stock options but `--param(s)` as they were typed, to be passed on."""

    parameters: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    run_name: str | None = None
    job_variables: dict[str, Any] = field(default_factory=dict)
    watch_timeout: float | None = None
    later: bool = False
    stock: list[str] = field(default_factory=list)


def read_options(arguments: Sequence[str], schema: Schema) -> Request:
    """Sort the arguments after NAME; `schema` is the flow's parameter schema. Raises `UsageError`.

    As in the stock command an option `--param` wins over `--params`; an option of its own wins over both.
    """
    request = Request()
    own: dict[str, Any] = {}
    params: dict[str, Any] = {}
    param: dict[str, Any] = {}
    names = {key.replace("_", "-"): key for key in schema["properties"]}
    rest = list(arguments)
    while rest:
        key, equals, value = rest.pop(0).partition("=")
        if key in STOCK_OPTIONS:
            taken = "" if not STOCK_OPTIONS[key] else value if equals else _take(rest, key)
            if key == "--params":
                params |= _mapping(taken)
            elif key in ("--param", "-p"):
                param |= [_key_value(key, taken)]
            else:
                _apply_stock(request, key, taken)
        else:
            name, yes = _flow_option(key, names, schema)
            spec = schema["properties"][name]
            is_flag = _kind(spec, schema) == "boolean" and not equals
            own[name] = yes if is_flag else _value(value if equals else _take(rest, key), spec, schema)
    request.parameters = {**params, **param, **own}
    _refuse_unknown(request.parameters, schema)
    return request


def usage(name: str, schema: Schema, about: str) -> str:
    """The help text: every parameter with type, default and description."""
    lines = [f"Usage: prefect deployment run {name} [OPTIONS]", "", about.partition("\n\n")[0].strip(), "", "Options:"]
    for key, raw in schema["properties"].items():
        default = "required" if key in schema.get("required", ()) else f"default: {json.dumps(raw.get('default'), ensure_ascii=False)}"
        text = raw.get("description") or ""
        lines.append(f"  {_flag(key, raw, schema):<26} {text}{' ' if text else ''}[{default}]")
    stock = " ".join(option for option in STOCK_OPTIONS if option.startswith("--"))
    return "\n".join([*lines, f"  {'--help':<26} Show this text and exit", "", f"Options of the stock command work too: {stock}"])


# ---- inner


def _apply_stock(request: Request, key: str, value: str) -> None:
    request.stock += [key, value] if STOCK_OPTIONS[key] else [key]
    if key == "--tag":
        request.tags.append(value)
    elif key == "--flow-run-name":
        request.run_name = value
    elif key in ("--job-variable", "-jv"):
        request.job_variables |= [_key_value(key, value)]
    elif key in ("--start-in", "--start-at"):
        request.later = True
    elif key in ("--watch-timeout", "--watch-interval"):
        seconds = _seconds(key, value)
        request.watch_timeout = seconds if key == "--watch-timeout" else request.watch_timeout


def _flow_option(key: str, names: Mapping[str, str], schema: Schema) -> tuple[str, bool]:
    """The parameter that an option means, and False if it is its `--no-` form."""
    name = key[2:].replace("_", "-")
    if key.startswith("--") and name in names:
        return names[name], True
    positive = names.get(name.removeprefix("no-"))
    if key.startswith("--no-") and positive and _kind(schema["properties"][positive], schema) == "boolean":
        return positive, False
    valid = [f"--{name}" for name in names]
    near = get_close_matches(key, [*valid, *STOCK_OPTIONS], n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    what = "option" if key.startswith("-") else "argument"
    raise UsageError(f"unknown {what} {key!r}{hint}; valid options: {', '.join(valid)}, and the stock ones that --help lists")


def _take(rest: list[str], key: str) -> str:
    if not rest or rest[0].startswith("--"):
        raise UsageError(f"{key} needs a value")
    return rest.pop(0)


def _key_value(key: str, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{key} takes NAME=VALUE, not {text!r}")
    return name, _json_or_text(value)


def _mapping(text: str) -> dict[str, Any]:
    """The value of `--params`: a JSON object, or `-` for one on standard input."""
    try:
        value = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise UsageError(f"--params takes a JSON object, and this is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError('--params takes a JSON object such as {"field": "demo"}')
    return value


def _seconds(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{key} takes a number of seconds, not {text!r}") from error


def _value(text: str, spec: Schema, schema: Schema) -> Any:
    """Text where the parameter is text; otherwise JSON, and what is not JSON is left to the flow's own check."""
    return text if _kind(spec, schema) == "string" else _json_or_text(text)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refuse_unknown(parameters: Mapping[str, Any], schema: Schema) -> None:
    unknown = [key for key in parameters if key not in schema["properties"]]
    if unknown:
        raise UsageError(f"unknown parameter {unknown[0]!r}; valid parameters: {', '.join(schema['properties'])}")


def _kind(spec: Schema, schema: Schema) -> str:
    """The JSON type of a parameter, `None` beside another type left aside."""
    kinds = {kind for option in _options(spec, schema) if (kind := option.get("type")) and kind != "null"}
    return "string" if "string" in kinds else kinds.pop() if len(kinds) == 1 else "JSON"


def _options(spec: Schema, schema: Schema) -> Iterator[Schema]:
    if reference := spec.get("$ref"):
        yield from _options(schema["definitions"][reference.rsplit("/", 1)[-1]], schema)
    elif parts := spec.get("anyOf") or spec.get("allOf"):
        for part in parts:
            yield from _options(part, schema)
    else:
        yield spec


def _flag(key: str, spec: Schema, schema: Schema) -> str:
    name, kind = key.replace("_", "-"), _kind(spec, schema)
    if kind == "boolean":
        return f"--{name} / --no-{name}"
    choices = [str(choice) for option in _options(spec, schema) for choice in option.get("enum", ())]
    return f"--{name} {'|'.join(choices) or {'string': 'TEXT', 'integer': 'N', 'number': 'X'}.get(kind, 'JSON')}"
