"""The benchmark's measures on texts whose figures are known: each kind of damage shows in the figure that is meant for it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from gold import latex_paragraphs, parse_article, section_titles, seen_text
from hypothesis import given
from hypothesis import strategies as st
from measures import chain, headings, longest_run, measure, words

CONSONANTS, VOWELS = "bcdfghjklmnpqrstvw", "aeiou"


def prose(count: int, seed: int, length: int = 60) -> list[str]:
    """Paragraphs of invented words, some of them common to all as in a language."""
    dice = random.Random(seed)
    common = ["the", "of", "and", "in", "which", "with", "from", "field"]

    def word() -> str:
        invented = "".join(dice.choice(CONSONANTS) + dice.choice(VOWELS) for _ in range(3))
        return dice.choice(common) if dice.random() < 0.4 else invented

    return [" ".join(word() for _ in range(length)) for _ in range(count)]


PARAGRAPHS = prose(20, seed=1)
OTHER = prose(20, seed=2)


def inserted(paragraph: str, foreign: str) -> str:
    halves = paragraph.split()
    return " ".join([*halves[:30], foreign, *halves[30:]])


def test_the_true_text_itself_has_full_marks() -> None:
    figures = measure("\n\n".join(PARAGRAPHS), PARAGRAPHS, "")
    assert (figures.recall, figures.precision, figures.found, figures.in_order, figures.longest_run) == (1, 1, 1, 1, 1)
    assert (figures.junk, figures.furniture, figures.torn) == (0, 0, 0)


def test_line_breaks_hyphens_ligatures_and_case_do_not_matter() -> None:
    text = "\n\n".join(PARAGRAPHS).replace("field", "ﬁeld").replace("which", "whi-\nch").replace("from", "fr\u2010\nom").upper()
    assert measure(text, PARAGRAPHS).recall == 1
    assert measure(text, PARAGRAPHS).longest_run == 1


def test_shuffled_paragraphs_are_found_but_not_in_order() -> None:
    """Adjacent inversions alone would still give such a text 0.5, a swap of halves nearly 1."""
    mixed = PARAGRAPHS.copy()
    random.Random(3).shuffle(mixed)
    figures = measure("\n\n".join(mixed), PARAGRAPHS)
    assert figures.recall == figures.found == 1
    assert figures.in_order is not None
    assert figures.in_order <= 0.5
    assert figures.longest_run is not None
    assert figures.longest_run <= 0.5


def test_columns_read_in_the_wrong_order_halve_the_longest_run() -> None:
    figures = measure("\n\n".join([*PARAGRAPHS[10:], *PARAGRAPHS[:10]]), PARAGRAPHS)
    assert figures.in_order == 0.5
    assert figures.longest_run == pytest.approx(0.5, abs=0.02)


def test_lines_read_across_two_columns_are_not_found_at_all() -> None:
    left, right = " ".join(PARAGRAPHS[:10]).split(), " ".join(PARAGRAPHS[10:]).split()
    lines = [" ".join([*left[at : at + 4], *right[at : at + 4]]) for at in range(0, len(left), 4)]
    figures = measure("\n".join(lines), PARAGRAPHS)
    assert figures.recall == 1
    assert figures.in_order == 0


def test_lost_paragraphs_lower_recall_and_order_but_not_precision() -> None:
    figures = measure("\n\n".join(PARAGRAPHS[::2]), PARAGRAPHS)
    assert figures.recall == pytest.approx(0.5, abs=0.1)
    assert figures.in_order == figures.found == 0.5
    assert figures.precision == 1


def test_foreign_text_between_paragraphs_is_junk_and_tears_nothing() -> None:
    text = "\n\n".join(part for pair in zip(PARAGRAPHS, OTHER, strict=True) for part in pair)
    figures = measure(text, PARAGRAPHS, whole="")
    assert figures.in_order == 1
    assert figures.torn == 0
    assert figures.junk is not None
    assert figures.junk == pytest.approx(0.45, abs=0.06)
    assert figures.precision is not None
    assert figures.precision < 0.75


def test_what_belongs_to_the_text_beside_the_gold_is_junk_but_no_furniture() -> None:
    text = "\n\n".join([*PARAGRAPHS[:10], *OTHER[:5], *PARAGRAPHS[10:]])
    figures = measure(text, PARAGRAPHS, whole="\n".join([*PARAGRAPHS, *OTHER[:5]]))
    assert figures.junk is not None
    assert figures.junk > 0.1
    assert figures.furniture == 0


def test_captions_and_code_thrown_away_are_missed() -> None:
    whole = "\n".join([*PARAGRAPHS, *OTHER[:4]])
    assert measure("\n".join([*PARAGRAPHS, *OTHER[:2]]), PARAGRAPHS, whole).rest == pytest.approx(0.5, abs=0.05)
    assert measure("\n".join(PARAGRAPHS), PARAGRAPHS, whole).rest == 0
    assert measure(whole, PARAGRAPHS, whole).rest == 1


def test_pieces_of_formulas_are_no_furniture_where_the_language_is_known() -> None:
    text = "\n\n".join(inserted(paragraph, "Neff mpole λΛCDM Editor") for paragraph in PARAGRAPHS)
    known = {*words(" ".join(PARAGRAPHS)), "editor"}
    figures = measure(text, PARAGRAPHS, "", known)
    assert figures.junk is not None
    assert figures.furniture is not None
    assert figures.junk == pytest.approx(4 * figures.furniture, rel=0.1)


def test_front_matter_and_references_outside_the_body_are_no_junk() -> None:
    text = "\n\n".join([*OTHER[:5], *PARAGRAPHS, *OTHER[5:]])
    assert measure(text, PARAGRAPHS).junk == 0


def test_a_paragraph_that_comes_again_in_an_annex_does_not_stretch_the_body() -> None:
    text = "\n\n".join([*PARAGRAPHS[:5], *PARAGRAPHS[6:], *OTHER, PARAGRAPHS[5]])
    figures = measure(text, PARAGRAPHS)
    assert figures.found == 1
    assert figures.in_order == 0.95
    assert figures.junk == 0


def test_a_footnote_in_mid_sentence_tears_its_paragraph() -> None:
    footnote = " ".join(OTHER[0].split()[:12])
    text = "\n\n".join([inserted(PARAGRAPHS[0], footnote), *PARAGRAPHS[1:]])
    figures = measure(text, PARAGRAPHS)
    assert figures.torn == 1 / 20
    assert figures.junk is not None
    assert 0 < figures.junk < 0.02
    assert figures.in_order == 1


def test_formulas_that_gold_has_not_are_neither_junk_nor_a_tear() -> None:
    text = "\n\n".join(inserted(paragraph, "x = \\int f (k ) dk + 2 y_1") for paragraph in PARAGRAPHS)
    figures = measure(text, PARAGRAPHS)
    assert figures.junk == figures.torn == 0
    assert figures.in_order == figures.longest_run == 1


def test_glued_words_are_lost() -> None:
    figures = measure("\n\n".join(paragraph.replace(" of ", "of") for paragraph in PARAGRAPHS), PARAGRAPHS)
    assert figures.recall is not None
    assert figures.recall < 0.97


def test_chinese_is_measured_by_characters() -> None:
    paragraphs = ["加速器物理研究带电粒子束在电磁场中的运动规律。", "同步辐射光源利用弯转磁铁产生高亮度的辐射光。"]
    figures = measure("\n".join("\n".join(paragraph) for paragraph in paragraphs), paragraphs)
    assert figures.recall == figures.in_order == 1
    swapped = measure("".join(reversed(paragraphs)), paragraphs)
    assert swapped.in_order == 0.5


def test_nothing_read_is_nothing_found() -> None:
    figures = measure("", PARAGRAPHS)
    assert figures.recall == figures.found == figures.in_order == 0
    assert figures.precision is figures.junk is figures.torn is figures.longest_run is None


def test_no_gold_is_no_figure() -> None:
    assert measure("some text", []).recall is None
    assert measure("some text", ["too short"]).in_order is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yang–Baxter Yang-Baxter", ["yangbaxter", "yangbaxter"]),
        ("tech-\nnique 3-5 GeV", ["technique", "gev"]),
        ("tech\ufffe\nnique", ["technique"]),
        ("x1 H2O 12", []),
        ("粒子 beam", ["粒", "子", "beam"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.lists(st.integers(0, 30), max_size=40))
def test_a_chain_rises_and_no_other_is_longer(numbers: list[int]) -> None:
    found = chain(numbers)
    members = [numbers[at] for at in found]
    assert all(a < b for a, b in pairwise(found))
    assert all(a < b for a, b in pairwise(members))
    assert len(members) == _longest(numbers)


def _longest(numbers: Sequence[int]) -> int:
    best: list[int] = []
    for at, number in enumerate(numbers):
        best.append(1 + max((length for length, other in zip(best, numbers[:at], strict=True) if other < number), default=0))
    return max(best, default=0)


def test_the_longest_run_ignores_what_is_missing() -> None:
    gold = words(" ".join(PARAGRAPHS))
    assert longest_run(gold, gold[:200]) == 1
    assert longest_run(gold, []) is None


def test_headings_are_the_same_without_numbers_and_formulas() -> None:
    gold = ["Introduction", "Measured cross section", "Results and conclusions", "Acknowledgements"]
    told = ["A title of a paper", "Abstract", "1. Introduction", "3 Measured tt cross section", "IV. RESULTS AND CONCLUSIONS", "References"]
    found, right = headings(told, gold, "A title of a paper")
    assert found == 0.75
    assert right == 1


def test_a_heading_that_is_none_lowers_precision_and_none_counts_twice() -> None:
    found, right = headings(["Introduction", "Introduction", "Physics Letters B"], ["Introduction", "Discussion"])
    assert found == 0.5
    assert right == pytest.approx(1 / 3)
    assert headings([], ["Introduction"]) == (0, None)


def test_titles_of_jats_and_elsevier() -> None:
    jats = "<article><body><sec><label>1.</label><title>Beam <italic>optics</italic></title><p>x</p></sec></body></article>"
    elsevier = (
        '<!DOCTYPE article PUBLIC "x" "y" [<!ENTITY gr001 SYSTEM "gr001" NDATA IMAGE>]>'
        '<article xmlns="http://www.elsevier.com/xml/ja/dtd" xmlns:ce="http://www.elsevier.com/xml/common/dtd"><ce:section>'
        "<ce:section-title>Caf&eacute; &amp; more</ce:section-title></ce:section></article>"
    )
    assert section_titles(parse_article(jats)) == ("Beam optics",)
    assert section_titles(parse_article(elsevier)) == ("Café & more",)


def test_the_text_of_an_article_is_what_a_reader_sees_without_names_and_references() -> None:
    article = parse_article(
        "<article><front><journal-meta><journal-title>Annals</journal-title></journal-meta><article-meta><title-group>"
        "<article-title>Beams</article-title></title-group><contrib-group><surname>Curie</surname></contrib-group><abstract><p>Short."
        "</p></abstract></article-meta></front><body><sec><title>One</title><p>Long <inline-formula>x</inline-formula>.</p></sec></body>"
        "<back><ack><p>Thanks.</p></ack><ref-list><ref>Other</ref></ref-list></back></article>"
    )
    assert words(seen_text(article)) == ["beams", "short", "one", "long", "thanks"]


def test_paragraphs_of_gold_from_latex_are_prose() -> None:
    gold = "The beam\nmoves on.\n\n$$ x = 1 $$\n\n  A      B\n  ------ ------\n  1      2\n\n-1cm 2 3 4 = 5\n\nIt stops.\n"
    assert latex_paragraphs(gold) == ("The beam moves on.", "It stops.")
