"""Sitting the exams: base and tuned model, what was scored for the same model, exam and prompt never twice."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, fingerprint, is_done, load_lines, mark_done, save, save_lines, sha256_file
from train.config import TrainConfig
from train.models import identity
from train.models import load as load_model
from train.prove.exam import examine, read_exam, score
from train.records import EvalResult, ExamItem

log = logging.getLogger(__name__)


def evaluate(config: TrainConfig, exams: Path, out: Path, *, seed: int) -> dict[str, Any]:
    """Score base and tuned model on every `*.jsonl` of `exams`; returns (and leaves as `out/metrics.json`, written last) the result.

    `{"base", "adapter": sha256, "seed", "exams": {name: {"sha256", "n", "base", "tuned", "gain"}}}`. The results per
    question are in `out/results/<exam>.<base|tuned>.jsonl`; the base model's are kept beside `out` for the next
    training. One model is loaded: the base is the same one with its adapter switched off.
    """
    adapter = finished_adapter(out)
    files = sorted(exams.glob("*.jsonl"))
    if not files:
        raise FieldsmithError(f"there is no exam (*.jsonl) in {exams}")
    (out / "metrics.json").unlink(missing_ok=True)
    model, tokenizer = load_model(config.base, adapter=adapter)
    digest = sha256_file(adapter / "adapter_model.safetensors")
    examiner = _Examiner(model, tokenizer, config, seed, out, digest)
    metrics = {"base": config.base, "adapter": digest, "seed": seed, "exams": {path.stem: examiner.examine(path) for path in files}}
    save(out / "metrics.json", metrics)
    return metrics


class _Examiner:
    """Sets exams to both models; what was scored for the same model, exam and prompt is not scored again."""

    def __init__(self, model: Any, tokenizer: Any, config: TrainConfig, seed: int, out: Path, adapter: str) -> None:
        self.model, self.tokenizer, self.config, self.seed, self.out, self.adapter = model, tokenizer, config, seed, out, adapter
        self.base = identity(config.base)
        self.known: dict[tuple[str, ExamItem], EvalResult] = {}

    def examine(self, exam: Path) -> dict[str, Any]:
        """Both models' results, compared."""
        key = fingerprint(self.base, sha256_file(exam), self.config.system_prompt, self.seed)
        kept = self.out.parent / "base-results" / f"{exam.stem}-{key[:12]}.jsonl"
        with self.model.disable_adapter():
            base = self._results(exam, kept, key, "base")
        save_lines(self.out / "results" / f"{exam.stem}.base.jsonl", base)
        tuned = self._results(exam, self.out / "results" / f"{exam.stem}.tuned.jsonl", fingerprint(key, self.adapter), "tuned")
        return {"sha256": sha256_file(exam), **examine(base, tuned, self.seed)}

    def _results(self, exam: Path, path: Path, key: str, who: str) -> list[EvalResult]:
        items = read_exam(exam)
        if is_done(path, key):
            results = list(load_lines(path, EvalResult))
        else:
            results = self._score(exam.stem, items, who)
            save_lines(path, results)
            mark_done(path, key)
        self.known |= {(who, item): result for item, result in zip(items, results, strict=True)}
        return results

    def _score(self, exam: str, items: Sequence[ExamItem], who: str) -> list[EvalResult]:
        """One exam may be a part of another: a question is put to a model once."""
        new = [item for item in items if (who, item) not in self.known]
        if not new:
            return [self.known[who, item] for item in items]
        log.info("exam %s: %d questions to the %s model", exam, len(new), who)
        scored = iter(score(self.model, self.tokenizer, new, system_prompt=self.config.system_prompt, seed=self.seed))
        return [self.known.get((who, item)) or next(scored) for item in items]


def finished_adapter(out: Path) -> Path:
    """The adapter of a finished training; `FieldsmithError` before there is one."""
    if not (out / "training.json").exists():
        raise FieldsmithError(f"there is no finished training in {out}: train first")
    return out / "adapter"
