"""The way of this package: pairs and texts become an adapter, exams say what it knows, questions are answered.

train      a dataset -> out/adapter and out/training.json, resumable after every kind of death
evaluate   a folder of exams -> out/metrics.json: base against tuned
answer     questions -> what base and tuned model say
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harvest.store import (
    FieldsmithError,
    fingerprint,
    hold,
    is_done,
    load,
    load_lines,
    mark_done,
    save,
    save_lines,
    sha256_file,
    versions,
)
from train import data
from train.backends.choose import Backend, choose
from train.backends.learner import Learner, read_tokenizer, take_up
from train.config import TrainConfig
from train.dataset import digests, prepare
from train.models import cache_folder, materialise, resolve
from train.models import load as load_model
from train.prove.exam import examine, read_exam, score
from train.records import EvalResult, ExamItem, Training
from train.tune.checkpoints import move_into_place
from train.tune.stage import RECORD, Lesson, StageResult, finished, tune

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "unsloth", "unsloth_zoo")

log = logging.getLogger(__name__)


# ---- training


def train(config: TrainConfig, dataset: Path, out: Path, *, seed: int) -> Training:
    """Train one LoRA through all stages; returns (and leaves as `out/training.json`, written last) what was done.

    `dataset` is a folder (`train.jsonl`, `corpus.jsonl`, perhaps `validation.jsonl`) or a JSONL file of pairs. Called
    again it goes on where it was stopped, and does nothing where it was done. Errors: `FieldsmithError` for data or a
    base model that cannot be read, before anything is trained.
    """
    with hold(out / "work", f"the training in {out}"):
        keys = _stage_keys(config, dataset, seed)
        done = _finished_training(out, keys[-1])
        return done or _train(config, dataset, out, keys, seed)


def _train(config: TrainConfig, dataset: Path, out: Path, keys: list[str], seed: int) -> Training:
    began = time.monotonic()
    backend = choose(config.backend, cache_folder() / "unsloth")
    base = materialise(config.base)
    tokenizer = read_tokenizer(config.base, base)
    names = [f"{number}-{stage.kind}" for number, stage in enumerate(config.stages, 1)]
    # All data is read before anything is trained: a bad line must not come to light after hours.
    material = [prepare(dataset, stage, tokenizer, config.system_prompt) for stage in config.stages]
    results: dict[str, StageResult] = {}
    learner: Learner | None = None
    last: Path | None = None
    for name, key, stage, rows in zip(names, keys, config.stages, material, strict=True):
        folder = out / "work" / name
        result = finished(folder, key)
        if result is None:
            learner = learner or _open(backend, config, base, tokenizer, last, seed)
            result = tune(learner, Lesson(stage, rows.learn, rows.watch.rows, folder, key, seed))
        results[name], last = result, folder / "adapter"
    _publish(out / "work" / names[-1] / "adapter", out)
    training = _record(out, base, backend, results, keys[-1], time.monotonic() - began)
    save(out / "training.json", training)
    return training


def _open(backend: Backend, config: TrainConfig, base: Path | str, tokenizer: Any, adapter: Path | None, seed: int) -> Learner:
    """The base model with its LoRA as an earlier stage's adapter has it, or a fresh one."""
    learner = backend.open_model(config, base, tokenizer, max_length=max(stage.max_length for stage in config.stages), seed=seed)
    if adapter is not None:
        take_up(learner, adapter)
    return learner


def _stage_keys(config: TrainConfig, dataset: Path, seed: int) -> list[str]:
    """A fingerprint per stage of all that its adapter follows from, the stages before it included."""
    key = fingerprint(config.model_dump(mode="json", exclude={"stages"}), _identity(config.base), seed)
    keys = []
    for stage in config.stages:
        key = fingerprint(key, stage, digests(dataset, stage))
        keys.append(key)
    return keys


def _identity(reference: str) -> object:
    """What tells a base model from another under the same name; the hub's own are told by their id."""
    where = resolve(reference)
    if isinstance(where, str):
        return where
    if where.is_file():
        return sha256_file(where)
    return [[path.name, path.stat().st_size] for path in sorted(where.iterdir()) if path.is_file()]


def _finished_training(out: Path, key: str) -> Training | None:
    if not (out / "training.json").exists() or not (out / "adapter").is_dir():
        return None
    training = load(out / "training.json", Training)
    if training.fingerprint != key:
        return None
    log.info("the adapter in %s is trained already", out)
    return training


def _publish(stage_adapter: Path, out: Path) -> None:
    """The last stage's adapter becomes `out/adapter`, in one instant; from then until the record is written it has none."""
    (out / "training.json").unlink(missing_ok=True)
    partial = out / ".adapter.partial"
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(stage_adapter, partial, ignore=shutil.ignore_patterns(RECORD))
    move_into_place(partial, out / "adapter")


def _record(out: Path, base: Path | str, backend: Backend, stages: dict[str, StageResult], key: str, seconds: float) -> Training:
    curves = {name: result.losses for name, result in stages.items()}
    curves |= {f"{name} validation": result.evals for name, result in stages.items() if result.evals}
    return Training(
        adapter=str(out / "adapter"),
        base=str(base),
        backend=backend.name,
        backend_reason=backend.reason,
        losses=curves,
        counts={f"{name} {what}": count for name, result in stages.items() for what, count in result.counts.items()},
        versions=versions(*LIBRARIES),
        fingerprint=key,
        seconds=round(seconds, 1),
    )


# ---- exams


def evaluate(config: TrainConfig, exams: Path, out: Path, *, seed: int) -> dict[str, Any]:
    """Score base and tuned model on every `*.jsonl` of `exams`; returns (and leaves as `out/metrics.json`, written last) the result.

    `{"base", "adapter": sha256, "seed", "exams": {name: {"sha256", "n", "base", "tuned", "gain"}}}`. The results per
    question are in `out/results/<exam>.<base|tuned>.jsonl`; the base model's are kept beside `out` for the next
    training. One model is loaded: the base is the same one with its adapter switched off.
    """
    adapter = _adapter(out)
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
        self.base = _identity(config.base)
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


def _adapter(out: Path) -> Path:
    if not (out / "training.json").exists():
        raise FieldsmithError(f"there is no finished training in {out}: train first")
    return out / "adapter"


# ---- questions


def answer(config: TrainConfig, out: Path, questions: Sequence[str], *, max_new_tokens: int = 64) -> list[tuple[str, str]]:
    """What the base model and the tuned one answer to each question, greedily, at most `max_new_tokens` long."""
    from train.decode import Ask, Decoder

    model, tokenizer = load_model(config.base, adapter=_adapter(out))
    asks = [Ask(_prompt(tokenizer, question, config.system_prompt), max_new_tokens) for question in questions]

    def said() -> list[str]:
        return [reply.text.strip() for reply in Decoder(model, tokenizer).answer(asks)]

    return list(zip(_without_adapter(model, said), said(), strict=True))


def _without_adapter(model: Any, act: Callable[[], list[str]]) -> list[str]:
    with model.disable_adapter():
        return act()


def _prompt(tokenizer: Any, question: str, system_prompt: str | None) -> tuple[int, ...]:
    turns = data.with_system([data.Turn(role="user", content=question)], system_prompt)
    messages = [turn.model_dump() for turn in turns]
    return tuple(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False))
