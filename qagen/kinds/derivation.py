"""Derivations: a calculation in standard steps, filled from a passage, worked step by step, each step marked.

The method of Haining Pan et al., "Quantum many-body physics calculations with large language models", arXiv 2403.03154
(doi 10.1038/s42005-025-01956-y): templates of several steps with placeholders (there for Hartree-Fock mean-field
theory, here also for what any field of physics and engineering derives); a model extracts from the paper what goes into
the placeholders, with the conventions for the symbols; another carries the steps out without seeing the paper, each
from the corrected results before it; each step is marked against the paper for adherence, rigor, knowledge and
correctness, 0 to 2 each. There the corrections are a person's; here a weak step is tried once more with the judge's remark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from harvest.records import Document, Rejection
from harvest.store import sha256_text
from qagen.checks.rules import Candidate, Fault, faults
from qagen.checks.words import language_of, length_in_words
from qagen.config import QAGenConfig
from qagen.curate.guards import read_marks
from qagen.kinds.asking import LANGUAGES, STAGE, pair_id, told
from qagen.kinds.filling import SCHEMA, Filling, SaidFilling, proven
from qagen.kinds.formulas import formulas, without_coefficients, without_formulas
from qagen.kinds.shape import TEXT
from qagen.kinds.template import Template, load_templates, print_of
from qagen.kinds.together import together
from qagen.records import Chunk, QAPair, Step, Written
from qagen.teacher.ledger import Request
from qagen.teacher.parse import list_schema, parse_items
from qagen.teacher.prompt import Prompt, load_prompt, shown
from qagen.teacher.protocol import Ask, Failure

KIND: Final = "derivation"
_TRIES = 2  # of a step; the second with the judge's remark on the first
_STEP_SCHEMA: dict[str, Any] = list_schema("steps", {"work": TEXT, "result": TEXT})
# Two formulas of the same letters are not the same, and a template cannot lapse into a loop: what these rules look for is words.
_NOT_OF_FORMULAS = frozenset(("answer-in-question", "repeats-itself"))
_UNPROVEN = "number-not-in-evidence"
_FEWEST_WORDS = 4  # beside the formulas of an answer, by which its language can be told
_MARK = {"type": "integer", "enum": [0, 1, 2]}
_MARKS = ("adherence", "rigor", "knowledge", "correctness")
_JUDGE_SCHEMA: dict[str, Any] = list_schema("marks", {**dict.fromkeys(_MARKS, _MARK), "remark": TEXT})

Mark = Annotated[int, Field(ge=0, le=2)]


class _Worked(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    work: str = ""
    result: str = Field(min_length=1)


class _Marks(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    adherence: Mark
    rigor: Mark
    knowledge: Mark
    correctness: Mark
    remark: str = ""

    @property
    def score(self) -> float:
        """0 to 100: the mean of the four marks, but never more than correctness alone would give."""
        return min(12.5 * (self.adherence + self.rigor + self.knowledge + self.correctness), 50.0 * self.correctness)


async def write_derivations(
    document: Document, chunks: Sequence[Chunk], config: QAGenConfig, ask: Ask, judge: Ask | None, seed: int | None
) -> Written:
    """Pairs of kind `derivation`, with `steps` and their scores, from the passages with formulas that fit a template.

    At most as many per chunk and language as the weight of the kind allows of `pairs_per_chunk`, at least one. A template of
    which the passage leaves a place empty or a symbol unexplained is rejected, and so is a derivation with a step that
    scores below the judge's `least` (reason `weak-step`). Without a judge pairs are marked `unscored`. Formulas of a PDF count
    only where they came as TeX: what is left of others has lost its fractions and indices. Raises `Stopped`, `UsageError`.
    """
    if not config.kinds.get(KIND):
        return Written()
    desk = _Desk(document, config, ask, judge if config.judge else None, seed)
    outcomes = await together(desk.passage(chunk, language) for chunk in chunks for language in desk.languages(chunk))
    found = [outcome for some in outcomes for outcome in some]
    return Written(tuple(one for one in found if isinstance(one, QAPair)), tuple(one for one in found if isinstance(one, Rejection)))


def prompts_of_derivations(config: QAGenConfig) -> list[str]:
    """Hashes of what derivations are asked with: prompts and templates."""
    names = ("derivation_fill", "derivation_step", "derivation_judge")
    prompts = [load_prompt(name, config.prompts, config.style).sha256 for name in names]
    return [*prompts, *map(print_of, load_templates(config.prompts))]


def prompt_of(config: QAGenConfig, template: Template) -> str:
    """What pairs of a template keep as their prompt: one hash of the two prompts and the template that they were written with."""
    prompts = (load_prompt(name, config.prompts, config.style).sha256 for name in ("derivation_fill", "derivation_step"))
    return sha256_text("".join((*prompts, print_of(template))))


@dataclass(frozen=True, slots=True)
class _Desk:
    """A document, and who is asked about it."""

    document: Document
    config: QAGenConfig
    ask: Ask
    judge: Ask | None
    seed: int | None

    def languages(self, chunk: Chunk) -> list[str]:
        """In which a passage is asked about."""
        return [one for one in (self.config.languages or (language_of(chunk.text),)) if one in LANGUAGES]

    async def passage(self, chunk: Chunk, language: str) -> list[QAPair | Rejection]:
        """What comes of a passage: an extraction, then a derivation for each template that it fills."""
        templates, most = self._fitting(chunk, language), _most(self.config)
        if not templates:
            return []
        prompt = self._prompt("derivation_fill")
        messages = prompt.messages(**shown(chunk), templates=templates, count=most, language=LANGUAGES[language])
        reply = await self.ask(self._request(messages, SCHEMA))
        if isinstance(reply, Failure):
            return [Rejection(chunk.id, STAGE, "teacher-failed", reply.detail)]
        said, unreadable = parse_items(reply.content, "fillings", SaidFilling)
        refused: list[QAPair | Rejection] = [Rejection(chunk.id, STAGE, "unreadable-reply", f"{KIND}: {detail}") for detail in unreadable]
        if not said and not unreadable:
            refused.append(Rejection(chunk.id, STAGE, "no-template-fits", f"{KIND}: {', '.join(one.name for one in templates)}"))
        known = {template.name: template for template in templates}
        return [*refused, *await together(self._derivation(chunk, one, known, language) for one in said[:most])]

    def _fitting(self, chunk: Chunk, language: str) -> list[Template]:
        """Templates for which a passage has formulas, quantities and words enough."""
        there = len(formulas(chunk.text, plain=not self.document.pages))
        if not there:
            return []
        quantities, lower = sum(bool(unit) for _, unit in read_marks(chunk.text).numbers), chunk.text.lower()
        return [
            one
            for one in load_templates(self.config.prompts)
            if language in one.languages
            and there >= one.needs.formulas
            and quantities >= one.needs.quantities
            and (not one.needs.words or any(word.lower() in lower for word in one.needs.words))
        ]

    async def _derivation(self, chunk: Chunk, said: SaidFilling, known: dict[str, Template], language: str) -> QAPair | Rejection:
        template = known.get(said.template)
        if template is None:
            return Rejection(
                chunk.id, STAGE, "unreadable-reply", f"{KIND}: `{said.template[:80]}` is none of the templates {', '.join(known)}"
            )
        filling = proven(template, said, chunk, language)
        if isinstance(filling, Fault):
            return Rejection(f"{chunk.id}/{template.name}", STAGE, filling.reason, filling.detail)
        worked = await self._worked(chunk, filling)
        return worked if isinstance(worked, Rejection) else self._pair(chunk, filling, worked)

    # ---- the steps

    async def _worked(self, chunk: Chunk, filling: Filling) -> list[tuple[Step, str]] | Rejection:
        """All steps with their results, or why there is no going on."""
        done: list[tuple[Step, str]] = []
        for number, instruction in enumerate(filling.steps, 1):
            results = list(zip(filling.steps, (result for _, result in done), strict=False))
            step = await self._step(chunk, filling, instruction, results)
            if isinstance(step, Fault):
                detail = f"{filling.template.name}, step {number} of {len(filling.steps)}: {step.detail} | {filling.question}"
                return Rejection(f"{chunk.id}/{filling.template.name}", STAGE, step.reason, detail)
            done.append(step)
        return done

    async def _step(self, chunk: Chunk, filling: Filling, instruction: str, done: list[tuple[str, str]]) -> tuple[Step, str] | Fault:
        """A step and its result; a weak one is tried once more."""
        remark, outcome = "", Fault("weak-step", "")
        for _ in range(_TRIES):
            worked = await self._carried_out(filling, instruction, done, remark)
            if isinstance(worked, Fault):
                return worked
            marks = await self._marked(chunk, filling, instruction, done, worked)
            if isinstance(marks, Fault):
                return marks
            if marks is None or (self.config.judge and marks.score >= self.config.judge.least):
                return Step(_text(worked), marks.score if marks else None), worked.result
            remark, outcome = marks.remark, Fault("weak-step", f"scores {marks.score:g}: {marks.remark} | {_text(worked)}")
        return outcome

    async def _carried_out(self, filling: Filling, instruction: str, done: list[tuple[str, str]], remark: str) -> _Worked | Fault:
        problem = filling.question.replace("</", "< /")  # it cannot close its own quotation
        values = {"question": problem, "done": done, "instruction": instruction, "remark": remark}
        messages = self._prompt("derivation_step").messages(**values, language=LANGUAGES[filling.language])
        reply = await self.ask(self._request(messages, _STEP_SCHEMA))
        if isinstance(reply, Failure):
            return Fault("teacher-failed", reply.detail)
        said, unreadable = parse_items(reply.content, "steps", _Worked)
        return said[0] if said else Fault("unreadable-reply", "; ".join(unreadable) or "no step in the reply")

    async def _marked(
        self, chunk: Chunk, filling: Filling, instruction: str, done: list[tuple[str, str]], worked: _Worked
    ) -> _Marks | Fault | None:
        if self.judge is None or self.config.judge is None:
            return None
        values = {"question": filling.question, "done": done, "instruction": instruction, "work": worked.work, "result": worked.result}
        messages = self._prompt("derivation_judge").messages(**shown(chunk), **values)
        judge = self.config.judge
        reply = await self.judge(Request(messages, judge.max_tokens, judge.temperature, self.seed, _JUDGE_SCHEMA))
        if isinstance(reply, Failure):
            return Fault("teacher-failed", f"the judge: {reply.detail}")
        said, unreadable = parse_items(reply.content, "marks", _Marks)
        return said[0] if said else Fault("unreadable-reply", f"the judge: {'; '.join(unreadable) or 'no marks in the reply'}")

    # ---- the pair

    def _pair(self, chunk: Chunk, filling: Filling, worked: list[tuple[Step, str]]) -> QAPair | Rejection:
        document, text, answer = self.document, self.document.text, worked[-1][1]
        steps, identifier = tuple(step for step, _ in worked), pair_id(self.document, filling.question, answer, filling.evidence)
        candidate = Candidate(
            question=filling.question,
            answer=answer,
            evidence="\n".join(text[span.start : span.end] for span in filling.evidence),
            context="\n".join([chunk.text, chunk.title, *(f"{one.term}: {one.meaning}" for one in chunk.definitions)]),
            kind=KIND,
            steps=tuple(step.text for step in steps),
            language=filling.language,
            defined=filling.defined,
            title=document.paper.title,
        )
        if found := _faults(candidate):
            return Rejection(identifier, STAGE, found[0].reason, told(found, filling.question, answer))
        scores = [step.score for step in steps if step.score is not None]
        return QAPair(
            id=identifier,
            document_id=document.id,
            chunk_id=chunk.id,
            kind=KIND,
            language=filling.language,
            question=filling.question,
            answer=answer,
            evidence=filling.evidence,
            teacher=self.config.teacher.model,
            prompt=prompt_of(self.config, filling.template),
            licence=document.paper.licence,
            scores={"steps": min(scores)} if scores else {},
            steps=steps,
            marks=() if scores else ("unscored",),
        )

    def _prompt(self, name: str) -> Prompt:
        return load_prompt(name, self.config.prompts, self.config.style)

    def _request(self, messages: Any, schema: dict[str, Any]) -> Request:
        teacher = self.config.teacher
        return Request(messages, teacher.max_tokens, teacher.temperature, self.seed, schema)


def _most(config: QAGenConfig) -> int:
    """Derivations asked for per chunk: the kind's share of all questions, at least one."""
    return ceil(config.pairs_per_chunk * config.kinds[KIND] / sum(config.kinds.values()))


def _faults(candidate: Candidate) -> list[Fault]:
    """The faults of a derivation by the rules for all kinds, without those that formulas only seem to have."""
    found = faults(candidate)
    untrue = set[str]() if _says(candidate.question, candidate.answer) else set(_NOT_OF_FORMULAS)
    if length_in_words(without_formulas(candidate.answer)) < _FEWEST_WORDS:
        untrue.add("wrong-language")  # a formula is in none
    if any(fault.reason == _UNPROVEN for fault in found):
        answer, steps = without_coefficients(candidate.answer), tuple(map(without_coefficients, candidate.steps))
        untrue |= {_UNPROVEN} - {fault.reason for fault in faults(replace(candidate, answer=answer, steps=steps))}
    return [fault for fault in found if fault.reason not in untrue]


def _says(question: str, answer: str) -> bool:
    """Whether a question holds its answer to the letter."""
    return "".join(answer.split()).strip("$.。") in "".join(question.split())


def _text(worked: _Worked) -> str:
    return worked.work if worked.result in worked.work else f"{worked.work}\n{worked.result}".strip()
