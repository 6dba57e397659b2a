"""The proof: every training of a run sits the sealed exams, and a judge may read the free answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.child import run_train
from flows.field_run import FieldRun
from flows.model_run import deciding, metrics_of, plan, seed_folders
from flows.samples import answer_samples
from harvest.store import load_lines, save
from train.records import EvalResult


def examine(run: FieldRun, out: Path) -> dict[str, Any]:
    """Examine all trainings, pool their seeds, ask the judge if wanted, and draw the samples; returns counts for the manifest."""
    from train.prove.compare import pool_seeds
    from train.prove.harness import write_tasks

    folders = seed_folders(run, out)
    for seed, folder in folders.items():
        run_train(plan(run, "evaluate", folder, seed=seed), folder)
    if len(folders) > 1:
        save(out / "seeds.json", pool_seeds(folders, seed=run.config.seed, exams=run.dataset / "exams"))
    else:
        (out / "seeds.json").unlink(missing_ok=True)
    write_tasks(run.dataset / "exams", out / "lm_eval", prefix=run.name, system_prompt=run.config.train.system_prompt)
    if run.config.prove.judge:
        _judge(run, out)
    else:
        (out / "judge.json").unlink(missing_ok=True)
    ask = lambda questions: run_train(plan(run, "answer", out, questions=questions), out)  # noqa: E731
    answer_samples(run.dataset / "exams", out, ask, run.config.seed)
    return {name: exam.n for name, exam in metrics_of(out).exams.items()}


def _judge(run: FieldRun, out: Path) -> None:
    """The judge of `qagen` compares what base and tuned model said, each pair in both orders, on the exam that decides."""
    from flows.secrets import keys_from_blocks
    from qagen.records import ExamQuestion
    from qagen.versus import Contest, judge_answers
    from train.prove.statistics import paired_bootstrap

    exam = deciding(run)
    if exam is None:
        return
    said = {arm: {r.item_id: r.said for r in load_lines(out / "results" / f"{exam}.{arm}.jsonl", EvalResult)} for arm in ("base", "tuned")}
    questions = load_lines(run.dataset / "exams" / f"{exam}.jsonl", ExamQuestion)
    contests = [
        Contest(item.id, item.question, item.answer, item.evidence, said["base"][item.id] or "", said["tuned"][item.id] or "")
        for item in questions
    ]
    with keys_from_blocks(run.config.qagen):
        bouts = judge_answers(run.config.qagen, run.run, contests)
    points = [float(bout.points) for bout in bouts]
    estimate = paired_bootstrap([0.0] * len(points), points, seed=run.config.seed)
    save(
        out / "judge.json",
        {
            "exam": exam,
            "n": len(bouts),
            "wins": sum(point > 0 for point in points),
            "losses": sum(point < 0 for point in points),
            "ties": sum(point == 0 for point in points),
            "inconsistent": sum(not bout.consistent for bout in bouts),
            "score": estimate,
        },
    )
