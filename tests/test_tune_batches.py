"""The layout of a batch: what packing must never change, and when it is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel, LlamaForCausalLM, MambaConfig, MambaForCausalLM

from train.data import IGNORED, Row
from train.tune.batches import Packing, Padding, attention_cost, fill, keeps_apart
from train.tune.loss import learn_answers_only

ROOT = Path(__file__).parents[1]
BACKENDS = ["peft", pytest.param("unsloth", marks=pytest.mark.skipif(find_spec("unsloth") is None, reason="unsloth is not installed"))]

lengths = st.lists(st.integers(1, 60), min_size=1, max_size=12)


def rows_of(sizes: list[int]) -> list[Row]:
    """Rows whose tokens tell the row and the place; the loss falls on their second half."""
    ids = [[(31 * number + 7 * at) % 250 for at in range(size)] for number, size in enumerate(sizes)]
    return [Row(input_ids=row, labels=[IGNORED] * (len(row) // 2) + row[len(row) // 2 :]) for row in ids]


@given(lengths, st.integers(60, 200))
def test_every_example_is_in_one_row_and_no_row_is_too_long(sizes: list[int], width: int) -> None:
    layout = fill(sizes, width)
    assert sorted(at for row in layout for at in row) == list(range(len(sizes)))
    assert all(sum(sizes[at] for at in row) <= width for row in layout)


@given(lengths, st.booleans(), st.booleans())
def test_packing_keeps_every_token_with_its_place_and_loss(sizes: list[int], flat: bool, always: bool) -> None:
    rows = rows_of(sizes)
    packed = Packing(token=0, attention=1e-3, flat=flat, always=always)(rows)
    learnt = sorted(label for row in rows for label in row["labels"][1:] if label != IGNORED)
    assert sorted(packed["labels"][:, 1:][packed["labels"][:, 1:] != IGNORED].tolist()) == learnt
    if "position_ids" in packed:
        # Cut where positions begin anew, the batch falls apart into the rows, and what fills it up.
        found = []
        for ids, positions in zip(packed["input_ids"].tolist(), packed["position_ids"].tolist(), strict=True):
            starts = [at for at, position in enumerate(positions) if position == 0]
            found += [tuple(ids[a:b]) for a, b in zip(starts, [*starts[1:], len(ids)], strict=True)]
        for row in rows:
            found.remove(tuple(row["input_ids"]))
        assert all(token == 0 for left in found for token in left)


def test_a_batch_is_packed_only_where_that_costs_less() -> None:
    alike, mixed = [50] * 4, [100, 20, 30, 40]
    packing = Packing(token=0, attention=2e-3)
    assert packing.layout(alike) is None
    assert packing.layout(mixed) == [[0], [3, 2, 1]]
    assert Packing(token=0, attention=5e-4, always=True).layout(alike) is not None
    assert Packing(token=0, attention=1.0).layout([100, 99, 98]) is None, "where attention is dear, long rows are not made"


LOSSES = """
import json, sys
from pathlib import Path
from train.backends.choose import choose
from train.backends.learner import read_tokenizer
from train.config import TrainConfig

base, backend = sys.argv[1:]
opened = choose(backend, Path("compiled")).open_model(TrainConfig(base=base), base, read_tokenizer(base, base), max_length=256, seed=1)
import torch
from test_tune_batches import rows_of
from train.tune.batches import Packing, Padding, attention_cost, keeps_apart
from train.tune.loss import learn_answers_only
from trl import SFTTrainer

model, rows = opened.model, rows_of([40, 9, 25, 17, 3, 60])
torch.manual_seed(0)
for name, weights in model.named_parameters():  # a fresh LoRA does nothing
    if "lora_B" in name:
        torch.nn.init.normal_(weights, std=0.02)
found = {"apart": keeps_apart(model, rows)}
for loss in ("theirs", "ours"):
    if loss == "ours":
        assert learn_answers_only(model)
    for name, collate in (("padded", Padding(0)), ("packed", Packing(0, 1e-3, always=True)), ("flat", Packing(0, 1e-3, flat=True))):
        model.zero_grad()
        value = model(**collate(rows), use_cache=False).loss
        value.backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        found[f"{loss} {name}"] = [value.item(), gradient.norm().item(), gradient[:5000].tolist()]
print(json.dumps(found))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_loss_and_gradients_are_those_of_each_example_alone(backend: str, base: str, tmp_path: Path) -> None:
    """Packed or padded, by our loss or by the model's own: the same to 1e-4."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", LOSSES, base, backend]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found.pop("apart")
    loss, norm, gradient = found.pop("theirs padded")
    assert len(found) == 5
    for name, (other, its_norm, its_gradient) in found.items():
        assert other == pytest.approx(loss, abs=1e-4), name
        assert its_norm == pytest.approx(norm, rel=1e-4), name
        assert its_gradient == pytest.approx(gradient, abs=1e-4 * norm), name


def lora(model: torch.nn.Module, *modules: str) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(target_modules=list(modules), task_type="CAUSAL_LM"))  # type: ignore[no-any-return,arg-type]


def test_a_model_that_reads_on_from_example_to_example_is_found_out(base: str) -> None:
    rows = rows_of([12, 20])
    assert keeps_apart(lora(LlamaForCausalLM.from_pretrained(base), "q_proj"), rows)
    torch.manual_seed(0)
    sizes = {"vocab_size": 258, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "initializer_range": 0.3}
    assert not keeps_apart(lora(MambaForCausalLM(MambaConfig(**sizes)), "in_proj"), rows)


def test_a_head_that_does_more_than_multiply_keeps_the_models_own_loss(base: str) -> None:
    plain = LlamaForCausalLM.from_pretrained(base)
    assert learn_answers_only(lora(plain, "q_proj"))
    assert not learn_answers_only(lora(LlamaForCausalLM.from_pretrained(base), "q_proj", "lm_head"))
    from transformers import CohereConfig, CohereForCausalLM

    sizes = {"vocab_size": 258, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    assert not learn_answers_only(lora(CohereForCausalLM(CohereConfig(**sizes, logit_scale=0.0625)), "q_proj"))


def test_attention_is_priced_by_the_models_sizes() -> None:
    small = GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=10)).config
    assert attention_cost(small) == pytest.approx(6 / (8 * 32 + 6 * 128))


def test_padding_is_not_learnt() -> None:
    batch = Padding(7)(rows_of([2, 4]))
    assert batch["attention_mask"].sum() == 6
    assert (batch["labels"][0, 2:] == IGNORED).all()
