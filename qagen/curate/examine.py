"""All exams of a run, of every kind that the settings ask for and the run has questions for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import chain

from qagen.curate.blind import guessed
from qagen.curate.exams import draw_exam, is_left_open, untouched
from qagen.curate.expert import GENERAL, halves, read_expert, read_general
from qagen.curate.plan import Plan
from qagen.curate.split import draw
from qagen.curate.unanswerable import draw_unanswerable
from qagen.records import EXAMINED, ExamQuestion, Part, QAPair

_log = logging.getLogger(__name__)

Exams = dict[str, list[ExamQuestion]]


def all_exams(plan: Plan, learnt: Sequence[QAPair], asked: Sequence[QAPair]) -> Exams:
    """The exams by name: drawn from pairs to learn from (`seen`) and to examine with, and written by people.

    `seen` takes at most a quarter of the trained documents' pairs. Raises `UsageError` where a file cannot be read, and says in the log
    where an expert exam can be guessed without reading it.
    """
    wanted = plan.config.exams
    trained = [pair for pair in learnt if plan.part_of[pair.document_id] == "train"]
    exams: Exams = {"seen": _drawn(plan, trained, min(wanted.seen, len(trained) // 4), "train")}
    exams["unseen"] = _drawn(plan, _of(plan, asked, "unseen"), wanted.unseen, "unseen")
    exams["later"] = _drawn(plan, _of(plan, asked, "later"), wanted.later, "later")
    free = untouched([*trained, *asked], chain.from_iterable(exams.values()))
    exams["unanswerable"] = draw_unanswerable(
        _to_ask(plan, free), wanted.unanswerable, plan.evidence, seed=plan.seed, threshold=plan.config.near_duplicate, texts=plan.texts()
    )
    if wanted.expert:
        expert = read_expert(wanted.expert, plan.part_of.keys())
        trained_half, held_out_half = halves(expert, plan.part_of)
        exams |= {"expert": expert, "expert_trained": trained_half, "expert_held_out": held_out_half}
        _say_if_guessable("expert", expert)
    if wanted.general:
        exams["general"] = read_general(GENERAL if wanted.general is True else wanted.general)
    return exams


def _say_if_guessable(name: str, exam: Sequence[ExamQuestion]) -> None:
    """What people have written is sealed as it is, but not in silence."""
    if ahead := [one for one in guessed(exam) if one.right > one.most]:
        worst = max(ahead, key=lambda one: one.right)
        _log.warning(
            "the exam %s can be guessed without reading it: `%s` is right for %.0f of its choices, by chance %.0f would be",
            *(name, worst.rule, worst.right, worst.chance),
        )


def _of(plan: Plan, pairs: Iterable[QAPair], part: Part) -> list[QAPair]:
    return [pair for pair in pairs if plan.part_of[pair.document_id] == part]


def _drawn(plan: Plan, pairs: Sequence[QAPair], n: int, part: Part) -> list[ExamQuestion]:
    if not pairs or not n:
        return []
    return draw_exam(pairs, n, plan.evidence, seed=plan.seed, texts=plan.texts((part,)), learnt=part == "train")


def _to_ask(plan: Plan, pairs: Sequence[QAPair]) -> list[QAPair]:
    """Without three quarters of the unanswerable pairs of trained documents: from these a model learns to say that it does not know."""
    taught = [pair for pair in pairs if is_left_open(pair) and plan.part_of[pair.document_id] not in EXAMINED]
    taught.sort(key=lambda pair: (draw(plan.seed, "unanswerable", pair.id), pair.id))
    kept = {pair.id for pair in taught[len(taught) // 4 :]}
    return [pair for pair in pairs if pair.id not in kept]
