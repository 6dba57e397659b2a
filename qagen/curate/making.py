"""How a dataset came to be, as far as the files of its run tell: models, prompts, what was left out and why, review, cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harvest.records import Rejection
from harvest.store import load_lines, read_manifest
from qagen.config import QAGenConfig
from qagen.kinds.derivation import prompt_of
from qagen.kinds.template import load_templates
from qagen.records import QAPair
from qagen.teacher.prompt import FOLDER, load_prompt


@dataclass(frozen=True, slots=True)
class Making:
    """What the card says of the making.

    `prompts` are names by SHA-256 (empty for a prompt that is no longer there), `rejections` are counts by stage and reason, `conflicts`
    is None where nobody looked, `review` is the sentence on what a person found, `cost` what the teachers took.
    """

    teachers: tuple[str, ...] = ()
    judge: str = ""
    base: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)
    rejections: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    conflicts: int | None = None
    review: str = ""
    cost: Mapping[str, float] = field(default_factory=dict)


def making_of(config: QAGenConfig, run: Path, pairs: Iterable[QAPair], *, conflicts: int | None = None) -> Making:
    """What stands in `run` and in the pairs that were made, all of them."""
    held = {pair.id: pair for pair in pairs}
    names = prompt_names(config)
    used = sorted({pair.prompt for pair in held.values() if pair.prompt})
    return Making(
        teachers=tuple(sorted({pair.teacher for pair in held.values() if pair.teacher})),
        judge=config.judge.model if config.judge else "",
        base=config.base.model if config.base else "",
        prompts={print_: names.get(print_, "") for print_ in used},
        rejections=rejections_in(run),
        conflicts=conflicts,
        review=_reviewed(run, held),
        cost=_cost(run),
    )


def prompt_names(config: QAGenConfig) -> dict[str, str]:
    """The prompts of this installation, with the lab's own in their places, by the hash that pairs keep."""
    names = (path.relative_to(FOLDER).with_suffix("").as_posix() for path in sorted(FOLDER.rglob("*.j2")))
    templates = {prompt_of(config, one): f"derivations/{one.name}" for one in load_templates(config.prompts)}
    return {load_prompt(name, config.prompts, config.style).sha256: name for name in names} | templates


def rejections_in(run: Path) -> dict[str, dict[str, int]]:
    """What every stage of a run left out, by reason."""
    stages: dict[str, Counter[str]] = {}
    for path in sorted((run / "rejected").glob("*/*.jsonl")):
        stages.setdefault(path.parent.name, Counter()).update(item.reason for item in load_lines(path, Rejection))
    return {stage: dict(sorted(reasons.items())) for stage, reasons in stages.items() if reasons}


def _reviewed(run: Path, pairs: Mapping[str, QAPair]) -> str:
    from qagen.review import precision, precision_line

    return precision_line(precision(run, pairs))


def _cost(run: Path) -> dict[str, float]:
    """Tokens and money over the whole life of the run; how many calls were new is no property of the dataset."""
    record = read_manifest(run).get("generate")
    return {name: record.cost[name] for name in ("input_tokens", "output_tokens", "money") if record and record.cost.get(name)}
