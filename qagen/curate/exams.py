"""The exams: drawn from pairs of trained documents (`seen`) and of held-out ones (`unseen`), or written by the lab (`expert`).

They are written and sealed before the first line of training data, so that nothing that is trained on can shape them.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harvest.store import FieldsmithError, UsageError, load, save, save_lines, sha256_file, sha256_text
from qagen.curate.likeness import read, same_answer
from qagen.curate.split import draw, nearest
from qagen.own.ids import source_of
from qagen.records import ExamQuestion, Part, QAPair

NAMES: Final = ("seen", "unseen", "expert", "expert_trained", "expert_held_out")
_DISTRACTORS: Final = 3
_NEVER: Final = ("unanswerable",)
_POOL: Final = 2000  # so many pairs are enough to find three plausible wrong answers in
_DIGITS: Final = re.compile(r"[\d.,]*\d")
_log = logging.getLogger(__name__)


# ---- exams drawn from pairs


def draw_exam(pairs: Sequence[QAPair], n: int, evidence: Callable[[QAPair], str], *, seed: int) -> list[ExamQuestion]:
    """`n` of the pairs (fewer where there are not so many), with wrong options: in the mix of their kinds, spread over the documents.

    Which ones depends on the seed and the ids of the pairs alone. `evidence` gives a pair's source sentence in words.
    Options are the pair's own distractors where it has some, else three answers of other pairs of the same kind of form; the
    right one stands equally often at each place. A question to which the pairs hold no three wrong answers has no options.
    Paraphrases are never drawn, nor are questions that the source leaves unanswered: without the source nothing is asked by them.
    """
    asked = [pair for pair in pairs if not pair.paraphrase_of and pair.kind not in _NEVER]
    pool = sorted(asked, key=lambda pair: (draw(seed, "pool", pair.id), pair.id))[:_POOL]
    drawn = (pair for stratum, share in _shares(asked, n) for pair in _spread(stratum, share, seed))
    chosen = sorted(drawn, key=lambda pair: (draw(seed, "place", pair.id), pair.id))
    if len(chosen) < n:
        _log.info("exam: %d of %d questions asked for, because there are no more pairs", len(chosen), n)
    questions, choices = [], 0
    for pair in chosen:
        options, correct = _options(pair, pool, choices, seed)
        choices += bool(options)
        questions.append(ExamQuestion(pair.id, pair.document_id, pair.question, pair.answer, options, correct, evidence(pair)))
    return sorted(questions, key=lambda question: (question.document_id, question.id))


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


def _spread(pairs: Iterable[QAPair], n: int, seed: int) -> list[QAPair]:
    """One pair of each document in turn, so that a long document does not fill the exam."""
    by_document = defaultdict(list)
    for pair in sorted(pairs, key=lambda pair: (draw(seed, pair.id), pair.id)):
        by_document[pair.document_id].append(pair)
    rounds = [(turn, draw(seed, pair.id), pair.id, pair) for held in by_document.values() for turn, pair in enumerate(held)]
    return [pair for *_, pair in sorted(rounds, key=lambda item: item[:3])[:n]]


def _options(pair: QAPair, pool: Iterable[QAPair], place: int, seed: int) -> tuple[tuple[str, ...], int | None]:
    wrong = _own_distractors(pair, seed) or _answers_of_others(pair, pool, seed)
    if not wrong:
        return (), None
    correct = place % (len(wrong) + 1)
    return (*wrong[:correct], pair.answer, *wrong[correct:]), correct


def _own_distractors(pair: QAPair, seed: int) -> list[str]:
    different = [wrong for wrong in dict.fromkeys(pair.distractors) if wrong.strip() and _flat(wrong) != _flat(pair.answer)]
    return sorted(different, key=lambda wrong: (draw(seed, pair.id, wrong), wrong))[:_DISTRACTORS]


def _answers_of_others(pair: QAPair, pool: Iterable[QAPair], seed: int) -> list[str]:
    order = sorted(pool, key=lambda other: (_form_distance(pair, other), draw(seed, pair.id, other.id), other.id))
    wrong: list[str] = []
    for other in order:
        if len(wrong) < _DISTRACTORS and other.language == pair.language and _is_wrong(other.answer, [pair.answer, *wrong]):
            wrong.append(other.answer)
    return wrong if len(wrong) == _DISTRACTORS else []


def _is_wrong(answer: str, taken: Iterable[str]) -> bool:
    """Whether an answer can be told from every one taken: not the same, nor the same in more words."""
    read_answer = read(answer)
    return all(not same_answer(read_answer, read(other)) and _flat(answer) != _flat(other) for other in taken)


def _form_distance(pair: QAPair, other: QAPair) -> tuple[bool, bool, bool, bool, bool, bool, int]:
    """How easily the form alone gives a wrong option away: its source, number or not, unit, how it is written, shape, length."""
    mine, its = read(pair.answer), read(other.answer)
    my_units, its_units = ({unit for _, unit in reading.marks.numbers} for reading in (mine, its))
    longer, shorter = sorted((len(mine.words), len(its.words)), reverse=True)
    written = bool(my_units or its_units) and _DIGITS.sub("#", _flat(pair.answer)) != _DIGITS.sub("#", _flat(other.answer))
    shaped = bool(my_units or its_units) and _shape(pair.answer) != _shape(other.answer)
    elsewhere, unlike = source_of(pair.document_id) != source_of(other.document_id), pair.kind != other.kind
    return elsewhere, bool(my_units) != bool(its_units), my_units != its_units, written, shaped, unlike, longer // max(1, shorter)


def _shape(answer: str) -> str:
    """`Aa #` for "October 2042", `# a` for "72 bits": what kind of thing a number belongs to."""
    return re.sub(r"[a-z]+", "a", re.sub(r"[A-Z]+", "A", _DIGITS.sub("#", answer)))


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".。")


# ---- the lab's own exam


class _ExpertLine(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    id: str = ""
    document: str = ""
    options: list[str] = []
    correct: int | None = None
    evidence: str = ""

    @model_validator(mode="after")
    def _choice(self) -> Self:
        if not self.options:
            if self.correct is not None:
                raise ValueError("correct is given without options")
            return self
        if len(set(self.options)) != len(self.options) or len(self.options) < 2:
            raise ValueError("options must be at least two and all different")
        if self.correct is None:
            if self.answer not in self.options:
                raise ValueError("the answer is not among the options; give correct, the index of the right option from 0")
            self.correct = self.options.index(self.answer)
        if not 0 <= self.correct < len(self.options):
            raise ValueError(f"correct must lie between 0 and {len(self.options) - 1}")
        if self.answer in self.options and self.options[self.correct] != self.answer:
            raise ValueError(f"correct points at {self.options[self.correct]!r}, but the answer is {self.answer!r}")
        return self


def read_expert(path: Path, documents: Collection[str]) -> list[ExamQuestion]:
    """The lab's exam: JSONL with `question` and `answer`, and optionally `id, document, options, correct, evidence`.

    The right option may be worded otherwise than the open answer. Raises
    `UsageError` naming file and line for what cannot be read, a double id, or a document that the run does not hold.
    """
    if not path.is_file():
        raise UsageError(f"qagen.exams.expert names {path}, which is no file; give the path of a JSONL file, relative to the YAML file")
    questions: dict[str, ExamQuestion] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            question = _expert_question(line, f"{path}, line {number}", documents)
            if question.id in questions:
                raise UsageError(f"{path}, line {number}: the id {question.id!r} is there twice; give each question its own")
            questions[question.id] = question
    return list(questions.values())


def _expert_question(line: str, where: str, documents: Collection[str]) -> ExamQuestion:
    try:
        given = _ExpertLine.model_validate_json(line)
    except ValidationError as error:
        raise UsageError(f"{where}: {_sentence(error.errors()[0])}") from error
    if given.document and given.document not in documents:
        near = nearest(given.document, documents)
        raise UsageError(f"{where}: the document {given.document!r} is not in this run; the nearest are {near}")
    identity = given.id or f"expert-{sha256_text(given.question)[:12]}"
    return ExamQuestion(identity, given.document, given.question, given.answer, tuple(given.options), given.correct, given.evidence)


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is no field {where!r}; the nearest are {nearest(where, _ExpertLine.model_fields)}"
    return f"{where}: {error['msg']}" if where else str(error["msg"])


def halves(expert: Sequence[ExamQuestion], part_of: Mapping[str, Part]) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    """Expert questions on trained documents, and on held-out ones; those without a document are in neither."""
    trained = [question for question in expert if part_of.get(question.document_id) == "train"]
    held_out = [question for question in expert if part_of.get(question.document_id) in ("validation", "unseen")]
    return trained, held_out


# ---- the seal


@dataclass(frozen=True, slots=True)
class Seal:
    """What an exam file was when it was sealed."""

    sha256: str
    n: int


def write_exams(folder: Path, exams: Mapping[str, Sequence[ExamQuestion]]) -> dict[str, Seal]:
    """Write the exams that hold questions, then their seal; until the seal stands there is no exam.

    The old seal is broken first, so that a crash in between leaves exams without a seal, which are drawn again.
    """
    (folder / "seal.json").unlink(missing_ok=True)
    seals = {}
    for name in NAMES:
        path = folder / f"{name}.jsonl"
        if exams.get(name):
            seals[name] = Seal(n=save_lines(path, exams[name]), sha256=sha256_file(path))
        else:
            path.unlink(missing_ok=True)
    save(folder / "seal.json", seals)
    return seals


def verify_seal(folder: Path) -> dict[str, Seal]:
    """The seals of a folder of exams; `FieldsmithError` where a file was changed, is missing, or was never sealed."""
    if not (folder / "seal.json").exists():
        raise FieldsmithError(f"the exams in {folder} are not sealed (no seal.json); build the dataset again")
    seals = load(folder / "seal.json", dict[str, Seal])
    found = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    for name in sorted(seals.keys() | found.keys()):
        if name not in found:
            raise FieldsmithError(f"the exam {name} is sealed but {folder / f'{name}.jsonl'} is missing; restore it or delete {folder}")
        if name not in seals:
            raise FieldsmithError(f"{found[name]} is no sealed exam; take it out of the folder or name it in qagen.exams.expert")
        if sha256_file(found[name]) != seals[name].sha256:
            raise FieldsmithError(f"{found[name]} was changed after it was sealed; restore it, or delete {folder} to draw new exams")
    return seals
