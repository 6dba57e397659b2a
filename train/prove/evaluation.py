"""Sitting the exams: four arms on every exam, what was scored for the same model, exam, prompt and settings never twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest.store import (
    FieldsmithError,
    append_line,
    fingerprint,
    is_done,
    load_lines,
    mark_done,
    save,
    save_lines,
    sha256_file,
    whole_lines,
)
from train.config import ProveConfig, TrainConfig
from train.prove import prompt
from train.prove.arms import Candidates, Library, arms, open_library, reads, who
from train.prove.compare import compare, documents, summarise
from train.prove.exam import read_exam, score
from train.prove.fairness import fairness
from train.prove.match import mark
from train.records import COMPARISONS, Arm, EvalResult, ExamItem, ExamReport, Metrics, Passage, Training

log = logging.getLogger(__name__)

TOGETHER = 64
"""Questions that are answered freely at once, and whose results are kept together."""
MEMORY = 512 * 2**20
"""Bytes of keys and values that these may take; fewer questions are taken where prompts are long."""


def evaluate(
    config: TrainConfig,
    exams: Path,
    out: Path,
    *,
    seed: int,
    prove: ProveConfig = ProveConfig(),  # noqa: B008 - frozen
    passages: Path | None = None,
) -> Metrics:
    """Put every `*.jsonl` of `exams` to the base and to the model that was trained into `out`; see `examine_models`."""
    return examine_models(
        config.base, tuned_model(out), exams, out, seed=seed, prove=prove, passages=passages, system_prompt=config.system_prompt
    )


def tuned_model(out: Path) -> Path:
    """The folder of a finished training's model: its adapter, or whole weights where it was merged at last.

    Errors: `FieldsmithError` before there is one.
    """
    if not (out / "training.json").exists():
        raise FieldsmithError(f"there is no finished training in {out}: train first")
    from harvest.store import load

    merged = load(out / "training.json", Training).merged
    return out / Path(merged).name if merged else out / "adapter"


def examine_models(
    base: str,
    tuned: Path,
    exams: Path,
    out: Path,
    *,
    seed: int,
    prove: ProveConfig = ProveConfig(),  # noqa: B008 - frozen
    passages: Path | None = None,
    system_prompt: str | None = None,
) -> Metrics:
    """Put every `*.jsonl` of `exams` to base and tuned model, without and with passages; returns what `out/metrics.json` says.

    `tuned` is the folder of an adapter or of a whole model, whoever trained it. The results per question are in
    `out/results/<exam>.<arm>.jsonl`; the base model's are kept beside `out` for the next training. `metrics.json` is written last.
    Without `passages` or `prove.retrieval` the arms with retrieval are left out. Errors: `FieldsmithError`.
    """
    (out / "metrics.json").unlink(missing_ok=True)
    sat = _read_exams(exams)
    library = open_library(passages, prove.retrieval)
    candidates = Candidates(base, tuned)
    candidates.check_tokens([option for exam in sat for item in exam.items for option in (item.answer, *item.options)])
    hall = _Hall(candidates, library, sat, out, seed, prove, system_prompt)
    results = {arm: hall.results(arm) for arm in arms(library)}
    reports = {exam.name: _report(exam, {arm: found[exam.name] for arm, found in results.items()}, seed) for exam in sat}
    metrics = Metrics(base, candidates.digest, seed, reports, library.record if library else None)
    save(out / "metrics.json", metrics)
    return metrics


@dataclass(frozen=True, slots=True)
class _Exam:
    name: str
    sha256: str
    items: tuple[ExamItem, ...]


def _read_exams(folder: Path) -> list[_Exam]:
    exams = [_Exam(path.stem, sha256_file(path), tuple(read_exam(path))) for path in sorted(folder.glob("*.jsonl"))]
    if not exams:
        raise FieldsmithError(f"there is no exam (*.jsonl) in {folder}")
    empty = [exam.name for exam in exams if not exam.items]
    if empty:
        raise FieldsmithError(f"the exam {empty[0]} in {folder} has no questions: build the dataset again")
    return exams


def _report(exam: _Exam, results: dict[Arm, list[EvalResult]], seed: int) -> ExamReport:
    clusters = documents(exam.items)
    return ExamReport(
        sha256=exam.sha256,
        n=len(exam.items),
        choices=sum(bool(item.options) for item in exam.items),
        arms={arm: summarise(found, exam.items) for arm, found in results.items()},
        gains={
            name: compare(results[before], results[after], seed=seed, clusters=clusters)
            for name, (before, after) in COMPARISONS.items()
            if before in results and after in results
        },
        fairness=fairness(exam.items),
    )


@dataclass(frozen=True, slots=True)
class _Hall:
    """Where the exams are sat: what must be known to put them to an arm, and where its results are kept."""

    candidates: Candidates
    library: Library | None
    exams: Sequence[_Exam]
    out: Path
    seed: int
    prove: ProveConfig
    system_prompt: str | None

    def results(self, arm: Arm) -> dict[str, list[EvalResult]]:
        """One arm's results of every exam, marked; also left in `out/results`."""
        places = {exam.name: self._place(arm, exam) for exam in self.exams}
        self._sit(arm, places)
        found = {}
        for exam in self.exams:
            marked = [
                mark(item, result, tolerance=self.prove.tolerance)
                for item, result in zip(exam.items, load_lines(places[exam.name], EvalResult), strict=True)
            ]
            save_lines(self.out / "results" / f"{exam.name}.{arm}.jsonl", marked)
            found[exam.name] = marked
        return found

    def _key(self, arm: Arm, exam: str) -> str:
        """What the answers to an exam depend on, marks aside: those are given anew each time."""
        shown = [self.library.sha256, self.library.config] if self.library and reads(arm) else None
        written = self.prove.max_new_tokens if self.prove.answers else None
        model = self.candidates.identity(who(arm))
        return fingerprint(prompt.FORM, model, exam, self.system_prompt, self.seed, written, shown)

    def _place(self, arm: Arm, exam: _Exam) -> Path:
        if who(arm) == "tuned":
            return self.out / "results" / f"{exam.name}.{arm}.jsonl"
        return self.out.parent / "base-results" / f"{exam.name}.{arm}-{self._key(arm, exam.sha256)[:12]}.jsonl"

    def _sit(self, arm: Arm, places: dict[str, Path]) -> None:
        """Let an arm sit the exams that it has not sat. One exam may be a part of another: a question is put to a model once."""
        keys = {exam.name: self._key(arm, exam.sha256) for exam in self.exams}
        known: dict[ExamItem, EvalResult] = {}
        new: list[_Exam] = []
        for exam in self.exams:
            if is_done(places[exam.name], keys[exam.name]):
                known |= dict(zip(exam.items, load_lines(places[exam.name], EvalResult), strict=True))
            else:
                new.append(exam)
        items = list(dict.fromkeys(item for exam in new for item in exam.items if item not in known))
        unfinished = self.out / "results" / "unfinished" / f"{arm}-{self._key(arm, fingerprint(items))[:12]}.jsonl"
        if items:
            log.info("%s: %d questions of %s", arm, len(items), ", ".join(exam.name for exam in new))
            known |= self._put(arm, items, unfinished)
        for exam in new:
            save_lines(places[exam.name], [known[item] for item in exam.items])
            mark_done(places[exam.name], keys[exam.name])
        unfinished.unlink(missing_ok=True)

    def _put(self, arm: Arm, items: Sequence[ExamItem], unfinished: Path) -> dict[ExamItem, EvalResult]:
        """Put questions to an arm, batch by batch; a batch that is done is kept at once, so that a killed run goes on after it."""
        done = {int(line["batch"]): line["results"] for line in whole_lines(unfinished)}
        known: dict[ExamItem, EvalResult] = {}
        with self.candidates.called(who(arm)) as (model, tokenizer):
            shown = {item: tuple(self.library.found(tokenizer, item.question)) if self.library and reads(arm) else () for item in items}
            for number, batch in enumerate(self._batches(model, tokenizer, shown)):
                if number not in done:
                    results = score(
                        model,
                        tokenizer,
                        batch,
                        system_prompt=self.system_prompt,
                        seed=self.seed,
                        passages=[shown[item] for item in batch],
                        max_new_tokens=self.prove.max_new_tokens if self.prove.answers else None,
                    )
                    append_line(unfinished, {"batch": number, "results": results})
                else:
                    results = [EvalResult(**result) for result in done[number]]
                known |= dict(zip(batch, results, strict=True))
                log.info("%s: %d of %d questions", arm, len(known), len(items))
        return known

    def _batches(self, model: Any, tokenizer: Any, shown: dict[ExamItem, tuple[Passage, ...]]) -> Iterator[list[ExamItem]]:
        """Questions whose prompts begin alike stand together; as many in a batch as may be held in memory."""
        prompts = {
            item: prompt.prompt(tokenizer, item.question, system_prompt=self.system_prompt, passages=found) for item, found in shown.items()
        }
        each = _bytes_per_token(model)
        batch: list[ExamItem] = []
        longest = 0
        for item in sorted(prompts, key=lambda item: (prompts[item], item.id)):
            length = len(prompt.tokens(tokenizer, prompts[item])) + self.prove.max_new_tokens
            if batch and (len(batch) == TOGETHER or max(longest, length) * (len(batch) + 1) * each > MEMORY):
                yield batch
                batch, longest = [], 0
            batch.append(item)
            longest = max(longest, length)
        if batch:
            yield batch


def _bytes_per_token(model: Any) -> int:
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * int(config.num_hidden_layers) * int(heads) * int(size) * int(model.dtype.itemsize)
