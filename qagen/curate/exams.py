"""Exams drawn from pairs: of trained documents (`seen`), of held-out ones (`unseen`), of those that appeared after a day (`later`).

They are written and sealed before the first line of training data, so that nothing that is trained on can shape them.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from qagen.curate.options import fair_options
from qagen.curate.split import draw
from qagen.curate.wrong import Wrongs
from qagen.own.ids import source_of
from qagen.records import ExamQuestion, QAPair

UNANSWERABLE: Final = "unanswerable"
_POOL: Final = 2000  # so many pairs are enough to find wrong answers in
_log = logging.getLogger(__name__)


def draw_exam(
    pairs: Sequence[QAPair],
    n: int,
    evidence: Callable[[QAPair], str],
    *,
    seed: int,
    texts: Iterable[str] = (),
    learnt: bool = True,
) -> list[ExamQuestion]:
    """`n` of the pairs (fewer where there are not so many), with options: in the mix of their kinds, spread over the documents.

    Which ones depends on the seed and the ids of the pairs alone. `evidence` gives a pair's source sentence in words, `texts` are those
    of the documents, in which wrong values are looked for, and `learnt` says whether they are trained on. Where no fair options are
    found a question has none (`qagen.curate.options`). Paraphrases are never drawn, nor are questions that the source leaves
    unanswered (see `qagen.curate.unanswerable`).
    """
    asked = [pair for pair in pairs if not pair.paraphrase_of and not is_left_open(pair)]
    pool = sorted(asked, key=lambda pair: (draw(seed, "pool", pair.id), pair.id))[:_POOL]
    drawn = (pair for stratum, share in _shares(asked, n) for pair in spread(stratum, share, seed))
    chosen = sorted(drawn, key=lambda pair: (draw(seed, "place", pair.id), pair.id))
    if len(chosen) < n:
        _log.info("exam: %d of %d questions asked for, because there are no more pairs", len(chosen), n)
    wrongs = Wrongs(pool, texts, seed)
    options = fair_options(chosen, wrongs, evidence, seed, learnt=learnt)
    questions = [question_of(pair, evidence(pair), *options.get(pair.id, ((), None))) for pair in chosen]
    return sorted(questions, key=lambda question: (question.document_id, question.id))


def question_of(pair: QAPair, evidence: str, options: tuple[str, ...] = (), correct: int | None = None) -> ExamQuestion:
    """A pair as an exam's question."""
    answerable, licence = not is_left_open(pair), pair.licence
    return ExamQuestion(pair.id, pair.document_id, pair.question, pair.answer, options, correct, evidence, answerable, licence)


def is_left_open(pair: QAPair) -> bool:
    """Whether the source of a pair leaves its question unanswered."""
    return pair.kind == UNANSWERABLE


def untouched(pairs: Iterable[QAPair], exam: Iterable[ExamQuestion]) -> list[QAPair]:
    """The pairs that the exam does not ask, neither in its words nor in a paraphrase."""
    asked = {question.id for question in exam}
    return [pair for pair in pairs if pair.id not in asked and pair.paraphrase_of not in asked]


def _shares(pairs: Sequence[QAPair], n: int) -> list[tuple[list[QAPair], int]]:
    """Pairs by kind, and by source where they are a lab's own, each with its share of `n` (largest remainder)."""
    strata: dict[tuple[str, str], list[QAPair]] = defaultdict(list)
    for pair in pairs:
        strata[source_of(pair.document_id), pair.kind].append(pair)
    exact = {key: min(n, len(pairs)) * len(held) / len(pairs) for key, held in strata.items()}
    shares = {key: int(share) for key, share in exact.items()}
    left = min(n, len(pairs)) - sum(shares.values())
    for key in sorted(exact, key=lambda key: (shares[key] - exact[key], key))[:left]:
        shares[key] += 1
    return [(strata[key], shares[key]) for key in sorted(strata)]


def spread(pairs: Iterable[QAPair], n: int, seed: int) -> list[QAPair]:
    """One pair of each document in turn, so that a long document does not fill the exam."""
    by_document = defaultdict(list)
    for pair in sorted(pairs, key=lambda pair: (draw(seed, pair.id), pair.id)):
        by_document[pair.document_id].append(pair)
    rounds = [(turn, draw(seed, pair.id), pair.id, pair) for held in by_document.values() for turn, pair in enumerate(held)]
    return [pair for *_, pair in sorted(rounds, key=lambda item: item[:3])[:n]]
