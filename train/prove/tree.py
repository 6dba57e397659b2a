"""Many token sequences computed at once, what they begin with in common only once: a trie, read in one forward pass.

Every token stands at the depth it has in its own sequence and sees its own ancestors only, so that each sequence is computed as
if it were alone (tree attention, as in SpecInfer, arXiv 2305.09781). All options of a question share its tokens this way, and
all questions to which the same passages were found share those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


class Tree:
    """A trie of tokens that grows on a `stem`, a sequence whose keys and values are known already.

    Tokens are numbered by column: first those of the stem, then those of the tree in the order of their coming.
    """

    def __init__(self, stem: Sequence[int] = ()) -> None:
        self.known = len(stem)
        self._tokens: list[int] = []
        self._parents: list[int] = []
        self._below = {(place - 1, token): place for place, token in enumerate(stem)}

    def __len__(self) -> int:
        return len(self._tokens)

    def add(self, tokens: Sequence[int], after: int = -1) -> list[int]:
        """The columns of a sequence that follows column `after` (-1: that begins); only what is not there yet is added."""
        columns = []
        for token in tokens:
            at = self._below.get((after, token))
            if at is None:
                at = self.known + len(self._tokens)
                self._below[after, token] = at
                self._tokens.append(token)
                self._parents.append(after)
            columns.append(at)
            after = at
        return columns

    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of the tokens that the tree adds: ids [1, tokens], positions [1, tokens], and which columns each sees [1, 1, tokens, columns]."""
        import torch

        sees = np.zeros((len(self), self.known + len(self)), dtype=np.bool_)
        depths = np.zeros(len(self), dtype=np.int64)
        for place, parent in enumerate(self._parents):
            if parent >= self.known:
                sees[place], depths[place] = sees[parent - self.known], depths[parent - self.known] + 1
            else:
                sees[place, : parent + 1], depths[place] = True, parent + 1
            sees[place, self.known + place] = True
        return torch.tensor([self._tokens]), torch.from_numpy(depths)[None], torch.from_numpy(sees)[None, None]
