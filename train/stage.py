"""The way of this package: pairs and texts become an adapter, exams say what it knows, what passes is released.

train      a dataset -> out/adapter and out/training.json, resumable after every kind of death
evaluate   a folder of exams -> out/metrics.json: base and tuned model, with retrieval and without
answer     questions -> what base and tuned model say
"""

from __future__ import annotations

from train.prove.answers import answer
from train.prove.evaluation import evaluate
from train.tune.training import train

__all__ = ["answer", "evaluate", "train"]
