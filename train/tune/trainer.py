"""TRL's SFTTrainer with our own loss and our own look at the held-out rows.

Importing this module imports TRL: do so only when the backend is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import Trainer
from trl import SFTTrainer

from train.backends import processes
from train.data import IGNORED, Row


class StageTrainer(SFTTrainer):  # type: ignore[misc]  # TRL is not typed
    """`own_loss`: the model computes its loss itself (see `train.tune.loss`); `watched`: held-out rows."""

    own_loss: bool = False
    control: Any
    watched: Sequence[Row] = ()

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **more: Any) -> Any:
        """The loss of one batch, without the entropies that TRL measures on logits which there are none of."""
        if not self.own_loss:
            return super().compute_loss(model, inputs, *args, **more)
        return Trainer.compute_loss(self, model, inputs, *args, **more)

    def evaluate(self, *args: Any, **more: Any) -> dict[str, float]:
        """`eval_loss` in nats per learnt token over all held-out rows, however they are batched.

        transformers' own is a mean of means, which changes with the size of the batches.
        """
        self.model.eval()
        sums = torch.zeros(2, dtype=torch.float64)
        with torch.no_grad():
            for rows in self._watched_batches():
                sums += torch.tensor(self._summed(rows), dtype=torch.float64)
        if processes.count() > 1:
            sums = self.accelerator.reduce(sums.to(self.args.device), "sum").cpu()
        metrics = {"eval_loss": float(sums[0] / sums[1])}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _watched_batches(self) -> Iterator[list[Row]]:
        """This process's share, in as many batches as every other's has: sharded models compute together."""
        size, by_length = self.args.per_device_eval_batch_size, sorted(self.watched, key=lambda row: len(row["input_ids"]))
        for start in range(0, len(by_length), size * processes.count()):
            share = by_length[start : start + size * processes.count()][processes.number() :: processes.count()]
            yield share or [blank(by_length[0])]

    def _summed(self, rows: list[Row]) -> tuple[float, int]:
        """The summed loss of a batch, and how many tokens it fell on."""
        inputs = self._prepare_inputs(self.data_collator(rows))
        learnt = int((inputs["labels"][:, 1:] != IGNORED).sum())
        model = self.model_wrapped if processes.shards() else self.model
        with self.compute_loss_context_manager():
            loss = float(self.compute_loss(model, inputs))
        return (loss * learnt, learnt) if learnt else (0.0, 0)


def blank(row: Row) -> Row:
    """A row without loss, that fills up a batch."""
    return Row(input_ids=row["input_ids"][:2], labels=[IGNORED, IGNORED])
