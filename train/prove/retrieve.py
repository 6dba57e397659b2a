"""Passages that answer a question, as any lab could find them without training: the opponent that a tuned model has to beat.

By words: BM25 (Robertson & Zaragoza, The Probabilistic Relevance Framework, 2009; `bm25s`, arXiv 2407.03618, in Lucene's variant). By
meaning, where an embedder is named: cosine of sentence embeddings. Both orders are fused by reciprocal rank (Cormack, Clarke &
Büttcher, SIGIR 2009, k = 60). k1 and b are those of
Anserini for passages, which differ little in length. The same question and passages always give the same answer.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harvest.store import FieldsmithError, load_lines
from train.config import RetrievalConfig
from train.prove.words import HAN, terms
from train.records import Passage

log = logging.getLogger(__name__)

FUSION = 60
"""The constant of reciprocal rank fusion: how little the first places weigh more than the next."""
DEPTH = 50
"""Places of each order that are fused."""

_SENTENCE = re.compile(rf"[.!?]+[\"')\]”’]*(?=\s)|[。！？；]+[”’」』）]*|\n\s*\n|(?<=[{HAN}])\n")

Scores = npt.NDArray[np.float32]


def read_passages(path: Path) -> list[Passage]:
    """The passages of a JSONL file (`id` and `text`, other fields as in `Passage`); none without text.

    Errors: `FieldsmithError` for a file that is missing, a bad line, an id used twice.
    """
    if not path.is_file():
        raise FieldsmithError(f"there are no passages {path}: build the dataset first, or set prove.retrieval to ~")
    passages: dict[str, Passage] = {}
    for passage in load_lines(path, Passage):
        if passage.id in passages:
            raise FieldsmithError(f"{path}: the id {passage.id!r} is used twice")
        passages[passage.id] = passage
    return [passage for passage in passages.values() if passage.text.strip()]


class Retriever:
    """Finds passages; `how` says by what. Reading 10,000 passages takes about 3 s by words, by meaning what the embedder takes."""

    def __init__(self, passages: Sequence[Passage], config: RetrievalConfig) -> None:
        self._passages = list(passages)
        self._shown = config.passages
        texts = [f"{passage.title}\n{passage.section}\n{passage.text}" for passage in self._passages]
        self._orders: list[Callable[[str], Scores]] = [_by_words(texts)] if texts else []
        self.how = "bm25"
        if config.embedder and texts:
            self._orders.append(_by_meaning(texts, config.embedder))
            self.how = "bm25+embeddings"

    def find(self, question: str) -> list[Passage]:
        """At most `config.passages` passages, the best first; fewer, or none, where fewer have anything to do with the question."""
        fused: dict[int, float] = {}
        for scores in (order(question) for order in self._orders):
            for rank, place in enumerate(_best(scores), 1):
                fused[place] = fused.get(place, 0.0) + 1 / (FUSION + rank)
        ordered = sorted(fused, key=lambda place: (-fused[place], place))
        return [self._passages[place] for place in ordered[: self._shown]]


def _best(scores: Scores) -> list[int]:
    """Places of the highest scores, at most `DEPTH`, none below half the best; equal ones in the order of the passages."""
    order = np.argsort(-scores, kind="stable")[:DEPTH]
    return [int(place) for place in order if scores[place] > 0 and 2 * scores[place] >= scores[order[0]]]


def _by_words(texts: Iterable[str]) -> Callable[[str], Scores]:
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG
    index = bm25s.BM25(method="lucene", k1=0.9, b=0.4)
    tokens = [terms(text) for text in texts]
    if not any(tokens):
        return lambda question: np.zeros(len(tokens), dtype=np.float32)
    index.index(tokens, show_progress=False)

    def scores(question: str) -> Scores:
        known = [term for term in terms(question) if term in index.vocab_dict]
        return np.asarray(index.get_scores(known), dtype=np.float32) if known else np.zeros(len(tokens), dtype=np.float32)

    return scores


def _by_meaning(texts: Sequence[str], embedder: str) -> Callable[[str], Scores]:
    from harvest.embed import load_embedder

    embed = load_embedder(embedder)
    vectors = embed(texts)
    return lambda question: np.asarray(vectors @ embed([question])[0], dtype=np.float32)


# ---- what of it is shown


def cut(passages: Sequence[Passage], tokenizer: Any, max_tokens: int) -> list[Passage]:
    """The passages, best first, as far as their texts have `max_tokens` tokens together, cut at the end of a sentence.

    What comes first is whole; the passage that no longer fits loses sentences from its end, and is left out if none
    is left. Only the very first passage is cut inside a sentence, if its first one alone is too long.
    """
    kept: list[Passage] = []
    left = max_tokens
    for passage in passages:
        text = _fitting(passage.text.strip(), tokenizer, left, hard=not kept)
        if text:
            kept.append(replace(passage, text=text))
            left -= _count(tokenizer, text)
        if text != passage.text.strip():
            break
    return kept


def _fitting(text: str, tokenizer: Any, left: int, *, hard: bool) -> str:
    if _count(tokenizer, text) <= left:
        return text
    ends = [found.end() for found in _SENTENCE.finditer(text)]
    for end in reversed(ends):
        if _count(tokenizer, text[:end]) <= left:
            return text[:end].strip()
    if not hard:
        return ""
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
    return text[: offsets[left - 1][1]].strip()


def _count(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False).input_ids)
