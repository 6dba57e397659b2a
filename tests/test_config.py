"""A lab's YAML: found by name, checked strictly, answered with file, line and the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config import find_field, known_fields, load_field
from flows.starter import field_schema, write_starter
from harvest.store import UsageError

GOOD = """\
title: Testing
harvest:
  sources:
    - folder: {path: papers, licence: CC0-1.0}
qagen:
  teacher: {model: some-model}
train:
  base: some/base
"""


def field(tmp_path: Path, text: str, name: str = "lab") -> str:
    path = tmp_path / "fields" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_shortest_field_loads_with_paths_relative_to_it(tmp_path: Path) -> None:
    loaded = load_field(field(tmp_path, GOOD))
    source = loaded.config.harvest.sources[0].folder
    assert source is not None
    assert source.path == tmp_path / "fields" / "papers"
    assert loaded.run == tmp_path / "runs" / "lab"


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("  teacher:", "  techer:"), 6, "did you mean teacher?"),
        (("licence: CC0", "license: CC0"), 4, "did you mean licence?"),
        (("base: some/base", "base: some/base\n  stages: [{kind: dpo}]"), 9, "'cpt' or 'sft'"),
        (("title: Testing\n", ""), 1, "title: this key is missing"),
        (("model: some-model", "model: m, serve: true, base_url: 'http://x'"), 6, "not both"),
    ],
)
def test_mistake_is_named_with_its_line(tmp_path: Path, change: tuple[str, str], line: int, says: str) -> None:
    path = field(tmp_path, GOOD.replace(*change))
    with pytest.raises(UsageError) as caught:
        load_field(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line {line}")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["title: [unclosed", "- a list", "", "a: &x [*x]", "!!python/object/apply:os.system ['echo']"])
def test_what_is_no_field_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_field(field(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_new_yaml_is_found_without_touching_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "lab" not in known_fields()
    field(tmp_path, GOOD)
    assert known_fields()["lab"] == tmp_path / "fields" / "lab.yaml"
    assert find_field("lab") == tmp_path / "fields" / "lab.yaml"


def test_unknown_field_names_the_valid_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    field(tmp_path, GOOD)
    with pytest.raises(UsageError, match=r"unknown field 'lap'; did you mean lab\? Valid fields: .*accelerators.*lab"):
        find_field("lap")


def test_starter_runs_as_written_and_is_never_overwritten(tmp_path: Path) -> None:
    path = write_starter("plasma", tmp_path)
    assert load_field(str(path)).config.title == "plasma"
    assert len(path.read_text().splitlines()) <= 12
    with pytest.raises(UsageError, match="exists already"):
        write_starter("plasma", tmp_path)


@pytest.mark.parametrize("name", ["../evil", "", "a/b", ".hidden"])
def test_starter_refuses_names_that_are_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        write_starter(name, tmp_path)


def test_schema_for_editors_is_the_one_the_code_has() -> None:
    written = Path(__file__).parent.parent / "examples" / "field.schema.json"
    assert written.read_text(encoding="utf-8") == field_schema(), "run: make schema"


@pytest.mark.parametrize("name", ["demo", "accelerators"])
def test_examples_are_valid_fields(name: str) -> None:
    assert load_field(name).config.title
