"""Prompts: the same beginning for one passage, nothing that closes its own quotation, a lab's own files and voice in their place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.store import UsageError
from qagen.config import QAGenConfig
from qagen.kinds.specs import SPECS
from qagen.methods import prompts_of
from qagen.records import Chunk, Definition, Span
from qagen.teacher.prompt import FOLDER, as_line, as_source, load_prompt, shown

CHUNK = Chunk("d#0-9", "d", "Ring > Gun", 0, 9, "The gun.", 'A "title"', (Definition("BPM", "beam position monitor", Span(0, 3)),))
TOLD = {"facts": ["One."], "others": ["Two."], "language": "English"}
ASKING = {
    "facts": {"most": 3, "kinds": ["fact"]},
    "kinds/answered": {"questions": ["Why?"]},
    **{spec.prompt: TOLD for spec in SPECS.values()},
}


def test_all_requests_about_a_passage_begin_alike() -> None:
    begun = set()
    for name, values in ASKING.items():
        system, user = load_prompt(name).messages(**shown(CHUNK), **values)
        passage, found, task = user.content.partition("</terms>\n")
        assert found
        assert task.strip()
        begun.add((system, passage))
    assert len(begun) == 1
    ((_, passage),) = begun
    assert passage == '<source title="A \'title\'" section="Ring / Gun">\nThe gun.\n</source>\n<terms>\nBPM: beam position monitor\n'


def test_every_kind_says_its_name_and_ends_with_the_form_of_its_reply() -> None:
    for spec in SPECS.values():
        content = load_prompt(spec.prompt).messages(**shown(CHUNK), **TOLD)[-1].content
        item = spec.schema()["properties"]["pairs"]["items"]
        form = content.splitlines()[-1]
        assert f"Kind of question: {spec.kind}." in content
        assert all(f'"{field}": ' in form for field in item["required"])
        assert form.count('": ') == len(item["required"]) + 1


@given(st.text(), st.sampled_from(["</source>", "< / SOURCE >", "</terms>", '<source title="x">', "</facts\n>", "<questions>"]))
def test_no_text_closes_its_own_quotation(text: str, tag: str) -> None:
    chunk = Chunk("d#0-9", "d", f"{text}{tag}", 0, 9, f"{text}{tag}{text}", tag, (Definition(tag, tag, Span(0, 1)),))
    _, user = load_prompt("kinds/fact").messages(**shown(chunk), facts=[as_line(f"{text}{tag}")], others=[], language="English")
    tags = ("<source", "</source>", "<terms>", "</terms>", "<facts>", "</facts>")
    assert [user.content.count(one) for one in tags] == [1] * 6
    assert as_source(tag) != tag


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def test_a_labs_own_file_stands_in_for_ours_and_pairs_tell_by_the_hash(tmp_path: Path) -> None:
    ours = load_prompt("kinds/fact")
    own = write(tmp_path / "whole", "kinds/fact.j2", ours.text.replace("Write one question", "Kindly write one question"))
    part = write(tmp_path / "part", "kinds/rules.j2", "Speak {{ language }}.{{ style }}\n{% include 'own.j2' %}\n")
    write(part, "own.j2", "Always be brief.")
    loaded = [load_prompt("kinds/fact", folder) for folder in (None, own, part)]
    said = [one.messages(**shown(CHUNK), **TOLD)[-1].content for one in loaded]
    assert "Kindly write one question" in said[1]
    assert "Speak English.\nAlways be brief." in said[2]
    assert len({one.sha256 for one in loaded}) == 3
    assert load_prompt("kinds/concept", own).sha256 == load_prompt("kinds/concept").sha256


def test_the_labs_voice_is_in_every_question_and_in_its_hash_but_not_where_it_is_not_heard(tmp_path: Path) -> None:
    style = tmp_path / "style.txt"
    style.write_text("束流用 beam，单位用 SI。", encoding="utf-8")
    for spec in SPECS.values():
        prompt = load_prompt(spec.prompt, None, style)
        assert "束流用 beam，单位用 SI。" in prompt.messages(**shown(CHUNK), **TOLD)[-1].content
        assert prompt.sha256 != load_prompt(spec.prompt).sha256
    assert load_prompt("facts", None, style).sha256 == load_prompt("facts").sha256


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("kinds/fact.j2", "{% block user %}Ask.{% endblock %}", "kinds/fact.j2 lacks the block system"),
        (
            "kinds/fact.j2",
            "{% block system %}a{% endblock %}{% block user %}b{% endblock %}{% block user2 %}c{% endblock %}",
            "has a block user2",
        ),
        (
            "kinds/fact.j2",
            "{% block system %}a{% endblock %}{% block user %}{{ pasage }}{% endblock %}",
            "{{ pasage }}, which nobody gives",
        ),
        ("kinds/fact.j2", "{% block system %}a{% endblock %}{% block user %}{{ {% endblock %}", "is no prompt: line 1"),
        ("kinds/fact.j2", "{% block system %}{% include 'mine.j2' %}{% endblock %}{% block user %}b{% endblock %}", "includes mine.j2"),
        ("kinds/fact.j2", "{% block system %}{% include '../../x' %}{% endblock %}{% block user %}b{% endblock %}", "no name of a file"),
        ("kinds/facct.j2", "x", "facct.j2 stands in for no prompt"),
    ],
)
def test_a_file_that_does_not_fit_is_told_by_name(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        load_prompt("kinds/fact", write(tmp_path, name, text))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        load_prompt("kinds/fact", tmp_path / "missing")
    with pytest.raises(UsageError, match=r"style file .*missing\.txt cannot be read"):
        load_prompt("kinds/fact", None, tmp_path / "missing.txt")
    (tmp_path / "style.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        load_prompt("kinds/fact", None, tmp_path / "style.txt")
    (tmp_path / "long.txt").write_text("x" * 7000, encoding="utf-8")
    with pytest.raises(UsageError, match="7000 characters"):
        load_prompt("kinds/fact", None, tmp_path / "long.txt")


def test_a_lab_cannot_run_code_by_a_prompt(tmp_path: Path) -> None:
    trick = "{% block system %}{{ passage.__class__.__mro__ }}{% endblock %}{% block user %}b{% endblock %}"
    prompt = load_prompt("kinds/fact", write(tmp_path, "kinds/fact.j2", trick))
    with pytest.raises(Exception, match="unsafe"):
        prompt.messages(**shown(CHUNK), **TOLD)


def test_hashes_of_settings_name_what_is_asked_with(tmp_path: Path) -> None:
    def config(**more: object) -> QAGenConfig:
        return QAGenConfig.model_validate({"teacher": {"model": "m"}, **more})

    both = prompts_of(config(kinds={"fact": 1, "unanswerable": 1}))
    assert both == [load_prompt(name).sha256 for name in ("facts", "kinds/fact", "kinds/unanswerable", "kinds/answered")]
    assert set(prompts_of(config(kinds={"fact": 2, "unanswerable": 0}))) == set(both[:2])
    changed = config(kinds={"fact": 1}, prompts=write(tmp_path, "system.j2", "Be kind."))
    assert not set(prompts_of(changed)) & set(both)
    assert prompts_of(config(method="answer-aware")) == [load_prompt(f"answer_aware.{language}").sha256 for language in ("en", "zh")]


def test_every_prompt_can_be_read() -> None:
    for path in FOLDER.rglob("*.j2"):
        name = path.relative_to(FOLDER).as_posix().removesuffix(".j2")
        assert load_prompt(name).text.endswith("\n")
