"""Pairs and texts -> a LoRA adapter -> what it knows -> a release: works on anyone's JSONL, and knows nothing of papers.

`train`, `evaluate`, `export` and `answer` do in this process what `python -m train run` does in one of its own. Importing this
package imports neither torch nor transformers.
"""

from __future__ import annotations

from train.config import GateConfig, LoraConfig, ProveConfig, ReleaseConfig, ReplayConfig, StageConfig, SweepConfig, TrainConfig
from train.records import EvalResult, ExamItem, Metrics, Release, Training, Verdict
from train.stage import answer, evaluate, train

__all__ = [
    "EvalResult",
    "ExamItem",
    "GateConfig",
    "LoraConfig",
    "Metrics",
    "ProveConfig",
    "Release",
    "ReleaseConfig",
    "ReplayConfig",
    "StageConfig",
    "SweepConfig",
    "TrainConfig",
    "Training",
    "Verdict",
    "answer",
    "evaluate",
    "train",
]
