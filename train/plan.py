"""What a child process is told and carries out: one task on one model, so that memory and patched libraries end with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harvest.store import FieldsmithError, UsageError, first_problem, save
from train.config import ProveConfig, ReleaseConfig, TrainConfig

Task = Literal["train", "evaluate", "answer", "export", "trial"]


class Plan(BaseModel):
    """What a child process is told; `dataset` is the folder of exams where the task is to evaluate, `about` is what a model card says."""

    model_config = ConfigDict(extra="forbid")

    task: Task
    config: TrainConfig
    dataset: Path
    out: Path
    seed: int
    prove: ProveConfig = ProveConfig()
    passages: Path | None = None
    release: ReleaseConfig = ReleaseConfig()
    exam: Path | None = Field(default=None, description="export: the exam that every exported form sits again")
    about: dict[str, Any] = {}
    dataset_card: Path | None = Field(default=None, description="export: the card of what may be passed on of the data")
    questions: tuple[str, ...] = ()


def read_plan(path: Path) -> Plan:
    """The plan in a file; `UsageError` where there is none."""
    try:
        return Plan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"the plan {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"the plan {path} is none: {first_problem(error)}") from error


def carry_out(plan: Plan) -> None:
    """Do what the plan says, in this process; every task leaves its files in `plan.out`."""
    tasks = {"train": _train, "evaluate": _evaluate, "answer": _answer, "export": _export, "trial": _trial}
    tasks[plan.task](plan)


def _train(plan: Plan) -> None:
    from train.tune.training import train

    train(plan.config, plan.dataset, plan.out, seed=plan.seed)


def _trial(plan: Plan) -> None:
    from train.sweep import train_trial

    train_trial(plan.config, plan.dataset, plan.out, seed=plan.seed)


def _evaluate(plan: Plan) -> None:
    from train.prove.evaluation import evaluate

    evaluate(plan.config, plan.dataset, plan.out, seed=plan.seed, prove=plan.prove, passages=plan.passages)


def _answer(plan: Plan) -> None:
    from train.config import RetrievalConfig
    from train.prove.answers import answer

    retrieval = plan.prove.retrieval
    passages = plan.passages if retrieval else None
    said = answer(plan.config, plan.out, plan.questions, passages=passages, retrieval=retrieval or RetrievalConfig())
    save(plan.out / "answers.json", said)


def _export(plan: Plan) -> None:
    from train.release.card import About
    from train.release.export import export

    if plan.exam is None:
        raise UsageError("the plan is none: an export needs the exam that every form sits again (exam)")
    try:
        about = TypeAdapter(About).validate_python(plan.about)
    except ValidationError as error:
        raise UsageError(f"the plan is none: about, {first_problem(error)}") from error
    export(plan.config, plan.out, plan.release, exam=plan.exam, seed=plan.seed, about=about, dataset_card=plan.dataset_card)


# ---- parent and child


def in_own_process(plan: Plan) -> None:
    """Carry a plan out in a process of its own, which ends with this one; what it says is on our standard error.

    Errors: `FieldsmithError` where it fails, after it has said why.
    """
    path = plan.out / f"{plan.task}.plan.json"
    save(path, plan)
    # Threads that spin while they wait cost a busy machine many times their work; read when torch is loaded, hence here.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    with subprocess.Popen([sys.executable, "-m", "train", "run", str(path)], stdin=subprocess.PIPE, env=environment) as child:
        code = child.wait()
    if code:
        raise FieldsmithError(f"{plan.task} ended with code {code}: what it said stands above; run the same command again to go on")


def end_with_parent() -> None:
    """End when standard input closes: also `kill -9` of the parent closes it, and no training is left running alone."""
    threading.Thread(target=_wait_for_end, name="parent", daemon=True).start()


def _wait_for_end() -> None:
    # By file descriptor: a thread inside sys.stdin at exit would bring down the interpreter, and its exit code with it.
    while os.read(0, 4096):
        pass
    os._exit(1)
