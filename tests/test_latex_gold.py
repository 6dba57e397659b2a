"""The benchmark's own look at a source: it must find formulas and leaks without our reader, or it proves nothing about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from latex_gold import author_words, displayed, leaked, shown, whole_source
from latex_peers import tree_of

from harvest.readers.latex import main_file, read_source
from harvest.readers.source import tree_of_files

PAPERS = Path(os.environ.get("FIELDSMITH_PAPERS") or Path(__file__).parent.parent.parent / "shared" / "papers")


def test_formulas_are_found_with_the_macros_of_the_document_expanded() -> None:
    files = {
        "main.tex": b"\\newcommand{\\vv}[2][x]{\\mathbf{#2}_{#1}}\\def\\half{\\frac12}\\begin{document}% \\[ gone \\]\n\\input{part}"
        b"\\begin{verbatim}\\[ code \\]\\end{verbatim}\\iffalse \\[ no \\] \\fi\\[ \\half \\vv{a} = \\vv[y]b \\]\\end{document}",
        "part.tex": b"\\begin{align}\\label{e} a &= b \\nonumber \\\\ c\\end{align}",
    }
    assert displayed(whole_source(files, "main.tex")) == ["a&=b\\\\c", "\\frac12\\mathbf{a}_{x}=\\mathbf{b}_{y}"]


def test_a_changed_formula_and_a_leaked_command_are_noticed() -> None:
    text = "Text $$ \\begin{aligned} a&=b\\\\c \\end{aligned} \\tag{1} $$ and \\foo here, \\printed there, $\\alpha$."
    assert "a&=b\\\\c" in shown(text)
    assert "a&=d\\\\c" not in shown(text)
    assert leaked(text, "the page says \\printed") == ["\\foo"]


def test_author_blocks_are_known() -> None:
    assert author_words("\\author[a]{A. {Per}son}\\title{No}\\affiliation{Some \\\\ where}") == "A. {Per}son Some \\\\ where"


@pytest.mark.shared
@pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")
@pytest.mark.parametrize("paper", ["arxiv_1703.09710_celerite", "arxiv_2410.12960_wave_modulation", "sixtrack_physics_manual"])
def test_real_papers_keep_their_formulas(paper: str) -> None:
    files = tree_of(PAPERS / "B_latex" / paper / "src")
    tree = tree_of_files(files)
    wanted = displayed(whole_source(files, main_file(tree, paper)))
    there = shown(read_source(tree, paper).text)
    assert sum(formula in there for formula in wanted) >= 0.97 * len(wanted) > 30
