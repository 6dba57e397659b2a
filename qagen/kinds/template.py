"""Templates of derivations: questions of several steps with places that a paper fills. Each is a YAML file.

Ours lie in `qagen/kinds/templates`; a lab's own in the folder `derivations` of its prompts, where a file with the name of one
of ours stands in for it. The shape is that of Pan et al., arXiv 2403.03154: a general calculation in standard steps, whose
placeholders and symbols are taken from one paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harvest.store import UsageError, first_problem, sha256_text

FOLDER = Path(__file__).parent / "templates"
OWN = "derivations"  # within a lab's folder of prompts
SYMBOLS = "symbols"  # a placeholder that every template has: what the letters stand for

Language = Literal["en", "zh"]
_PLACE = re.compile(r"(?P<tex>\\[A-Za-z]+\*?|[_^])?\{(?P<name>[a-z][a-z_]{2,})\}")  # `_{max}` and `\text{if}` are LaTeX


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Placeholder(_Part):
    """What a paper must say for a template to fit: a formula, copied; or something in the teacher's words, proven by quotes."""

    kind: Literal["formula", "words"] = Field(alias="is")
    what: str = Field(min_length=1)


class Needs(_Part):
    """What a passage must hold for the teacher to be asked at all: formulas, quantities with a unit, one of some words."""

    formulas: int = Field(default=1, ge=1)
    quantities: int = Field(default=0, ge=0)
    words: tuple[str, ...] = ()


class Wording(_Part):
    """A text in both languages that questions are asked in; one may be left out where it is never asked for."""

    en: str = ""
    zh: str = ""


class Template(_Part):
    """A calculation in steps. `{name}` in question and steps is what the paper has in that place, `{symbols}` what the letters mean."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    about: str = Field(min_length=1)
    needs: Needs = Needs()
    placeholders: Annotated[dict[str, Placeholder], Field(min_length=1)]
    question: Wording
    steps: Annotated[tuple[Wording, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not any(one.kind == "formula" for one in self.placeholders.values()):
            raise ValueError("a derivation starts from a formula: one placeholder needs `is: formula`")
        for language in ("en", "zh"):
            written = [bool(text) for text in self.texts(language)]
            if any(written) and not all(written):
                raise ValueError(f"question and all steps are written in {language}, or none of them")
            self._places_known(self.texts(language))
        if not self.languages:
            raise ValueError("the question is empty; write it in en, zh or both")
        return self

    def _places_known(self, texts: list[str]) -> None:
        used = {place for text in texts for place in _places(text)}
        if unknown := sorted(used - {*self.placeholders, SYMBOLS}):
            raise ValueError(f"{{{unknown[0]}}} is no placeholder; there are {', '.join([*self.placeholders, SYMBOLS])}")
        if texts[0] and (unused := sorted({*self.placeholders, SYMBOLS} - _places(texts[0]))):
            raise ValueError(f"the question does not say {{{unused[0]}}}, so that it could not be understood alone")

    @property
    def languages(self) -> tuple[Language, ...]:
        """In which it can be asked."""
        return tuple(language for language in ("en", "zh") if getattr(self.question, language))

    def texts(self, language: str) -> list[str]:
        """The question and the steps."""
        return [getattr(one, language) for one in (self.question, *self.steps)]


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text of a template with its places filled; braces of LaTeX are left as they are."""
    return _PLACE.sub(lambda found: found[0] if found["tex"] else values[found["name"]], text)


def _places(text: str) -> set[str]:
    return {found["name"] for found in _PLACE.finditer(text) if not found["tex"]}


@cache
def load_templates(prompts: Path | None = None) -> tuple[Template, ...]:
    """All templates by name, a lab's own first among equals; `UsageError` where a file is none."""
    files = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
    if prompts is not None:
        files |= {path.stem: path for path in sorted((prompts / OWN).glob("*.y*ml"))}
    return tuple(_load(path) for _, path in sorted(files.items()))


def print_of(template: Template) -> str:
    """A hash of what a template says."""
    return sha256_text(template.model_dump_json())


def _load(path: Path) -> Template:
    import yaml

    try:
        template = Template.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise UsageError(f"{path} is no template of a derivation: {first_problem(error)}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from None
    if template.name != path.stem:
        raise UsageError(f"{path} calls itself {template.name}; a template has the name of its file")
    return template
