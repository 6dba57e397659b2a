"""The model card: what a stranger must know before they trust a released model, made of what was measured and of nothing else.

The layout is the hub's (Mitchell et al., Model Cards for Model Reporting, arXiv 1810.03993): metadata as YAML, then prose.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from train.config import TrainConfig
from train.records import Metrics, Parity, Seeds, Training, Verdict
from train.release.card_evidence import not_proven, parity_table, proven, retrieval_leads, retrieval_line
from train.release.card_use import limits, sources, training_settings, usage
from train.release.licences import hub_licence
from train.release.markdown import code, escaped, one_line

if TYPE_CHECKING:
    from huggingface_hub import EvalResult


@dataclass(frozen=True, slots=True)
class About:
    """What the card says of a model besides what was measured.

    `name` is the field's, `title` the field in a few words; `base` the base model as its users know it (a hub id where it has one),
    `licence` an SPDX id of the released model or None where it is not stated; `paper_licences` counts documents by licence, of all
    that was trained on; `repo` is the hub id to which the release goes, `languages` are codes such as "en", "zh".
    """

    name: str
    title: str
    description: str = ""
    licence: str | None = None
    base: str = ""
    tags: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    repo: str | None = None
    paper_licences: Mapping[str, int] = field(default_factory=dict)


def model_card(
    about: About,
    training: Training,
    metrics: Metrics,
    verdict: Verdict | None = None,
    parity: Parity | None = None,
    seeds: Seeds | None = None,
    files: Collection[str] = (),
    *,
    config: TrainConfig | None = None,
    deciding: str | None = None,
) -> str:
    """README.md of a release: `files` are its paths, relative to it; `deciding` the exam of the gate (default: see `retrieval_line`)."""
    base = about.base or metrics.base
    parts = [
        _opening(about, base, metrics, verdict, deciding),
        proven(metrics, seeds),
        not_proven(metrics, verdict, seeds),
        parity_table(parity),
        usage(about.name, about.repo, base, files),
        training_settings(training, base, config),
        limits(bool(metrics.retrieval)),
        sources(about.paper_licences),
    ]
    return _metadata(about, base, metrics, files) + "".join("\n".join(part) + "\n" for part in parts)


def _opening(about: About, base: str, metrics: Metrics, verdict: Verdict | None, deciding: str | None) -> Iterator[str]:
    yield f"# {escaped(about.title or about.name)}"
    yield ""
    leads = retrieval_leads(metrics, deciding)
    if leads:
        yield f"**{retrieval_line(metrics, deciding)}**"
        yield ""
    if about.description.strip():
        yield escaped(about.description)
        yield ""
    yield (f"A language model of this field, tuned from {code(base)} by fieldsmith and examined before and after on sealed questions.")
    yield ""
    if not leads:
        yield retrieval_line(metrics, deciding)
        yield ""
    yield _standing(verdict)
    yield ""


def _standing(verdict: Verdict | None) -> str:
    if verdict is None:
        return "No gate has judged this model."
    failed = [check for check in verdict.checks if not check.passed]
    if verdict.passed:
        return f"It passed its gate: {'; '.join(escaped(check.said.rstrip('.')) for check in verdict.checks)}."
    return f"**It did not pass its gate**: {'; '.join(escaped(check.said.rstrip('.')) for check in failed)}."


# ---- metadata


def _metadata(about: About, base: str, metrics: Metrics, files: Collection[str]) -> str:
    from huggingface_hub import ModelCardData

    results = list(_results(metrics))
    data = ModelCardData(
        language=[one_line(language) for language in about.languages] or None,
        library_name="peft" if files and not _holds(files, "config.json") and _holds(files, "adapter_config.json") else "transformers",
        pipeline_tag="text-generation",
        base_model=base if is_hub_id(base) else None,
        datasets=[name for name in about.datasets if is_hub_id(name)] or None,
        tags=_tags(about, files),
        model_name=one_line(about.name) if results else None,
        eval_results=results or None,
        ignore_metadata_errors=False,
        **hub_licence(about.licence),
    )
    return f"---\n{data.to_yaml(line_break=chr(10))}\n---\n\n"


def is_hub_id(reference: str) -> bool:
    """Whether a reference may be the hub id of a model or data set (and not a file, a folder or a package's file)."""
    return bool(re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", reference)) and not reference.endswith((".gguf", ".git"))


def _holds(files: Collection[str], name: str) -> bool:
    return any(file.rpartition("/")[2] == name for file in files)


def _tags(about: About, files: Collection[str]) -> list[str]:
    gguf = ["gguf"] if any(file.endswith(".gguf") for file in files) else []
    return list(
        dict.fromkeys(["fieldsmith", "domain-adaptation", "lora", *gguf, *(one_line(tag)[:64] for tag in about.tags if tag.strip())])
    )


def _results(metrics: Metrics) -> Iterator[EvalResult]:
    """The tuned model's own figures, for the hub's table of results; an exam is named with the hash that seals it."""
    from huggingface_hub import EvalResult

    for name, exam in metrics.exams.items():
        score = exam.arms.get("tuned")
        if score is None:
            continue
        figures = {"accuracy": score.accuracy, "exact_match": score.match, "nll": score.nll}
        words = {"accuracy": "Right choices", "exact_match": "Right free answers", "nll": "Nats per answer token"}
        for kind, value in figures.items():
            if value is not None and math.isfinite(value):
                yield EvalResult(
                    task_type="question-answering",
                    dataset_type=f"fieldsmith-{one_line(name)}",
                    dataset_name=f"sealed exam {one_line(name)} ({exam.n} questions)",
                    dataset_revision=exam.sha256,
                    metric_type=kind,
                    metric_name=words[kind],
                    metric_value=round(value, 4),
                )
