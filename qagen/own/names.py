"""How the columns of question-answer data are called in the wild; the first that a file has is taken."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

Role = Literal["question", "input", "answer", "key", "options", "steps", "context", "title", "group", "kind", "language", "licence"]


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(" ".join(lines).split())


SPELLINGS: Final[dict[Role, tuple[str, ...]]] = {
    "question": _words(
        "question questions question_text question_stem query problem problem_text instruction prompt message_1 q user human input",
        "问题 題目 题目 提问 提問 問題 问 问句 指令",
    ),
    "answer": _words(
        "correct_answer right_answer best_answer final_answer answer_text answer answers response output completion message_2",
        "reply chosen assistant gpt target a solution 正确答案 答案 回答 答复 答 回复 输出",
    ),
    "key": _words("answer_key answer_idx answer_index correct_idx correct_index correct_option cop correct gold label 正确选项"),
    "options": _words("options choices option candidates endings 选项 選項 候选答案"),
    "steps": _words("steps reasoning rationale explanation solution exp 步骤 解析 推理过程 解题过程"),
    "input": _words("input 输入"),
    "context": _words("context passage 背景 上下文 材料"),
    "title": _words("title 标题"),
    "group": _words("group group_id document_id doc_id 分组"),
    "kind": _words("kind 类型"),
    "language": _words("language lang 语言"),
    "licence": _words("licence license 许可证"),
}

_MARKS = re.compile(r"[\s_\-.:：]+")


def flat(name: str) -> str:
    """A column's name as it is compared: `Correct Answer`, `correct_answer` and `correctAnswer` are one."""
    return _MARKS.sub("", name).casefold()


def named(columns: Iterable[str], spellings: Iterable[str]) -> str | None:
    """The column that is called by the earliest of the spellings."""
    by_name = {flat(column): column for column in reversed(list(columns))}
    return next((by_name[flat(word)] for word in spellings if flat(word) in by_name), None)
