"""Pairs and texts -> a LoRA adapter -> what it knows: works on anyone's JSONL, and knows nothing of papers.

`train`, `evaluate` and `answer` do in this process what `python -m train run` does in one of its own. Importing this
package imports neither torch nor transformers.
"""

from __future__ import annotations

from train.config import LoraConfig, StageConfig, TrainConfig
from train.records import EvalResult, ExamItem, Training
from train.stage import answer, evaluate, train

__all__ = [
    "EvalResult",
    "ExamItem",
    "LoraConfig",
    "StageConfig",
    "TrainConfig",
    "Training",
    "answer",
    "evaluate",
    "train",
]
