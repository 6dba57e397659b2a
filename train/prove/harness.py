"""Exams as tasks of lm-evaluation-harness: anyone can examine any model on them, without fieldsmith.

The tokens of prompt and options are those of `train.prove.prompt`: the options follow the chat template's last character without a
space, and nothing but the template writes special tokens. One thing differs: the harness moves white space at the end of a prompt
(the line break after ChatML's `assistant`) into the continuation, so that its log-likelihood of every option of a question is
ours plus that of this white space, the same number for all of them. `acc` takes the option with the highest sum, `acc_norm` divides by
characters and `acc_bytes` by bytes; fieldsmith divides by tokens, as the loss of training does. For a model whose template knows no
system role the harness leaves the system prompt out, and a question that spells out a model's own marks is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from harvest.store import FieldsmithError, sha256_file, versions, write_bytes, write_text
from train.prove import harness_task
from train.prove.exam import read_exam
from train.records import ExamItem

VERSION = 1
"""Raise it when tasks of the same exam are scored differently than before."""


def write_tasks(exams: Path, out: Path, *, prefix: str, system_prompt: str | None = None) -> list[Path]:
    """Write each exam of the folder `exams` into the folder `out` as tasks; returns their YAML files.

    `<prefix>_<exam>` holds the choices (accuracies), `<prefix>_<exam>_answers` all questions with their open answers (nats per answer,
    bits per byte); both lie beside the exam's own file, whose SHA-256 they hold it to. The folder needs nothing outside it. Errors:
    `FieldsmithError` where there is no exam, where one cannot be read, or where two would be tasks of the same name.
    """
    files = sorted(exams.glob("*.jsonl"))
    if not files:
        raise FieldsmithError(f"there is no exam (*.jsonl) in {exams}")
    tasks: dict[str, Mapping[str, Any]] = {}
    for file in files:
        for name, task in _tasks(file, prefix, system_prompt or "").items():
            if name in tasks:
                raise FieldsmithError(f"{file}: another exam of {exams} is a task {name} already: rename one of the two")
            tasks[name] = task
    for file in files:
        write_bytes(out / file.name, file.read_bytes())
    write_bytes(out / "fieldsmith_exam.py", Path(harness_task.__file__).read_bytes())
    write_text(out / "README.md", _readme(list(tasks), prefix))
    return [_write_task(out / f"{name}.yaml", task) for name, task in tasks.items()]


def _tasks(file: Path, prefix: str, system: str) -> dict[str, dict[str, Any]]:
    items = read_exam(file)
    name = _named(f"{prefix}_{file.stem}")
    tasks = {f"{name}_answers": _answers() | _shared(file, "answers", items, prefix, system)} if items else {}
    if any(item.options for item in items):
        tasks[name] = _choices() | _shared(file, "choices", items, prefix, system)
    return tasks


def _named(text: str) -> str:
    """A name that the harness's command line does not take for a list, a pattern or a path."""
    return re.sub(r"\W+", "_", text)


def _shared(file: Path, kind: str, items: Sequence[ExamItem], prefix: str, system: str) -> dict[str, Any]:
    """What both kinds of task say; a column's name alone is taken as it is, so that no text is taken for a template."""
    sha256 = sha256_file(file)
    return {
        "tag": _named(prefix),
        "custom_dataset": _Function("fieldsmith_exam.load"),
        "dataset_kwargs": {"file": file.name, "sha256": sha256, "kind": kind, "system": system},
        "test_split": "test",
        "doc_to_text": "question",
        "num_fewshot": 0,
        **({"description": "system"} if system else {}),
        "metadata": {"version": VERSION, "exam": file.stem, "exam_sha256": sha256, "questions": len(items), **versions("fieldsmith")},
    }


def _choices() -> dict[str, Any]:
    return {
        "output_type": "multiple_choice",
        "doc_to_choice": "options",
        "doc_to_target": "correct",
        "metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in ("acc", "acc_norm", "acc_bytes")],
    }


def _answers() -> dict[str, Any]:
    return {
        "output_type": "loglikelihood",
        "doc_to_target": "answer",
        "process_results": _Function("fieldsmith_exam.score_answer"),
        "metric_list": [
            {"metric": "nll", "aggregation": "mean", "higher_is_better": False},
            {"metric": "bits_per_byte", "aggregation": "bits_per_byte", "higher_is_better": False},
        ],
    }


class _Function(str):
    """A function of the folder, which the harness's YAML names by a tag of its own."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


def _write_task(path: Path, task: Mapping[str, Any]) -> Path:
    write_text(path, yaml.dump({"task": path.stem, **task}, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
    return path


def _readme(tasks: Sequence[str], prefix: str) -> str:
    listed = "\n".join(f"- `{task}`" for task in tasks)
    return f"""# Exams as tasks of lm-evaluation-harness

    lm_eval run --model hf --model_args pretrained=MODEL --apply_chat_template --include_path THIS_FOLDER --tasks {_named(prefix)}

{listed}

Made for models with a chat template. A task whose name ends in `_answers` gives the negative log-likelihood of the open answers, in
nats per answer (`nll`) and in bits per byte; the others the share of right choices by the sum of log-likelihoods (`acc`), per
character (`acc_norm`) and per byte (`acc_bytes`). fieldsmith's own choice is per token. `fieldsmith_exam.py` reads the exams and
refuses a file that was changed.
"""
