"""`fieldsmith init NAME`: a field of about ten lines that runs, and a JSON Schema beside it for editors."""

from __future__ import annotations

import json
import re
from pathlib import Path

from flows.config import FieldConfig
from harvest.store import UsageError, write_text

SCHEMA = "field.schema.json"
STARTER = """\
# yaml-language-server: $schema={schema}
title: {title}
harvest:
  sources:
    - arxiv: {{query: "cat:physics.acc-ph", max_papers: 50}}
qagen:
  teacher: {{model: gpt-5-mini, price: {{input: 0.25, output: 2.0}}}}
  budget: {{money: 5.0}}
train:
  base: HuggingFaceTB/SmolLM2-135M-Instruct
  stages: [{{kind: cpt}}, {{kind: sft}}]
"""


def write_starter(name: str, here: Path) -> Path:
    """Write `fields/NAME.yaml` and the schema; an existing file is never overwritten."""
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
        raise UsageError(f"{name!r} cannot be a field's name: letters, digits, - and _ only")
    path = here / "fields" / f"{name}.yaml"
    if path.exists():
        raise UsageError(f"{path} exists already; edit it or choose another name")
    write_text(path.with_name(SCHEMA), field_schema())
    write_text(path, STARTER.format(schema=SCHEMA, title=name))
    return path


def field_schema() -> str:
    """The JSON Schema of a field's YAML."""
    return json.dumps(FieldConfig.model_json_schema(), indent=1, ensure_ascii=False) + "\n"
