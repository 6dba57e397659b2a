"""Macros, conditions and choices of LaTeX: what a document defines is expanded, and nothing that it defines stops the reader."""

from __future__ import annotations

import contextlib
import sys
from itertools import pairwise

import pytest
from written_latex import LONG, body, text_of

from harvest.readers.extract import UnreadableDocument
from harvest.readers.latex import read_latex


@pytest.mark.parametrize(
    ("preamble", "latex", "plain"),
    [
        (r"\newcommand{\mere}{Mere Ring}", r"The \mere{} is the \mere.", "The Mere Ring is the Mere Ring."),
        (r"\newcommand*\mere{Mere\xspace}", r"The \mere ring, \mere.", "The Mere ring, Mere."),
        (r"\newcommand{\kev}[2][about]{#1 #2~keV}", r"\kev{3} or \kev[just]{4}", "about 3 keV or just 4 keV"),
        (r"\def\pair#1,#2;{#1 and #2}", r"\pair a,b; c", "a and b c"),
        (r"\def\at(#1){at #1}\def\all#1\end{[#1]}", r"\at(3 m) and \all x y\end", "at 3 m and [x y]"),
        (r"\newcommand{\a}{A\b}\newcommand{\b}{B}\let\c\a", r"\c", "AB"),
        (r"\let\old\emph\renewcommand{\emph}[1]{\old{#1}!}", r"\emph{so}", "so"),
        (r"\let\oldref\ref\renewcommand{\ref}[1]{no.~\oldref{#1}}", r"\section{A}\label{a}see \ref{a}", "A\n\nsee no. 1"),
        (r"\expandafter\def\csname my-name\endcsname{Mine}", r"\csname my-name\endcsname", "Mine"),
        (r"\NewDocumentCommand{\q}{s m O{V} o}{\IfBooleanTF{#1}{big }{}#2#3\IfValueT{#4}{/#4}}", r"\q{1} \q*{2}[kV][s]", "1V big 2kV/s"),
        (r"\NewDocumentCommand{\pt}{r()d<>}{(#1)\IfNoValueF{#2}{#2}}", r"\pt(1,2)<b> \pt(3)", "(1,2)b (3)"),
        (r"\NewDocumentEnvironment{note}{O{N}m}{#1 #2: }{.}", r"\begin{note}{7}inside\end{note}", "N 7: inside."),
        (r"\newenvironment{note}[1]{Note #1: }{ End.}", r"\begin{note}{7}inside\end{note}", "Note 7: inside End."),
        (r"\newenvironment{eq}{\begin{equation}\begin{split}}{\end{split}\end{equation}}", r"\begin{eq}a&=b\end{eq}",
         r"$$ \begin{split}a&=b\end{split} \tag{1} $$"),
        (r"\newcommand{\be}{\begin{equation}}\newcommand{\ee}{\end{equation}}", r"so \be x=1 \ee end", "so\n$$ x=1 \\tag{1} $$\nend"),
        (r"\newif\ifdraft\drafttrue", r"\ifdraft draft\else final\fi", "draft"),
        (r"\newif\ifdraft", r"\ifdraft draft\else final\fi", "final"),
        (r"\newboolean{long}\setboolean{long}{false}", r"\ifthenelse{\boolean{long}}{long}{short}", "short"),
        (r"\newtoggle{long}\toggletrue{long}", r"\iftoggle{long}{long}{short}", "long"),
        (r"\newcommand{\mode}{a}", r"\ifthenelse{\equal{\mode}{b}}{yes}{no} \ifx\mode\undefined none\else some\fi", "no some"),
        (r"\newcounter{n}\setcounter{n}{4}", r"\ifnum\value{n}>3 many\else few\fi, \ifcase 1 nought\or one\or two\fi, "
         r"\roman{n}", "many, one, iv"),
        (r"\makeatletter\newcommand{\x}{\@ifstar{\@x}{\@ifnextchar[{\@y}{\@y[d]}}}\def\@x#1{S#1}\def\@y[#1]#2{#1#2}\makeatother",
         r"\x*{1} \x[o]{2} \x{3}", "S1 o2 d3"),
        (r"\newcommand{\section}{nonsense}", r"\emph{x}", "x"),
        (r"\DeclareMathOperator{\tr}{tr}\newcommand{\vv}[1]{\mathbf{#1}}", r"$\tr \vv{x} y$", r"$\operatorname{tr} \mathbf{x} y$"),
        (r"\DeclarePairedDelimiter{\norm}{\lVert}{\rVert}", r"$\norm{x}$", r"$\left\lVert x\right\rVert$"),
        (r"\newcommand{\E}{\ensuremath{\alpha_s}\xspace}", r"the \E of $\E$", r"the $\alpha_s$ of ${\alpha_s}$"),
        (r"\providecommand{\n}{one}\providecommand{\n}{two}\def\catcode{}", r"\n", "one"),
    ],
)  # fmt: skip
def test_the_documents_own_macros_are_expanded(preamble: str, latex: str, plain: str) -> None:
    assert text_of(latex, preamble) == plain


@pytest.mark.parametrize(
    "hidden",
    [
        r"\iffalse gone \iftrue x \fi y \fi{}",
        r"\begin{comment}gone\end{comment}",
        "% gone\n",
        r"\@gobble{gone}",
        r"\todo[inline]{gone}",
        r"\deleted{gone}",
    ],
)
def test_what_a_document_takes_out_is_gone(hidden: str) -> None:
    assert text_of(f"Here {hidden}stays.").replace("  ", " ") == "Here stays."


BOMBS = [
    "".join("\\def\\" + one + "{" + f"\\{two} " * 9 + "}" for one, two in pairwise("abcdefg")) + r"\def\g{boom }\a",
    r"\def\a{x\a}\a",
    r"\newcommand{\a}[1]{\a{#1#1}}\a{xx}",
    r"\let\a\b\let\b\a\def\a{\b}\def\b{\a}\a",
    r"\newenvironment{a}{\begin{a}}{\end{a}}\begin{a}\end{a}",
    r"$\def\a{x\a}\a$",
    r"\renewcommand{\thesection}{\thesection\thesection}\section{S}",
    r"\renewcommand{\theequation}{\ref{x}\theequation}\begin{equation}\label{x}a\end{equation}",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_macros_that_never_end_cost_themselves_only(bomb: str) -> None:
    extract = body(f"Before. {bomb} Behind the bomb.")
    assert extract.text.startswith("Before.")
    assert extract.text.endswith(LONG)
    assert "Behind the bomb." in extract.text
    assert len(extract.text) < 3_000_000


def test_a_bomb_is_said_to_be_one() -> None:
    assert any("without end" in warning for warning in body(BOMBS[1]).warnings)


def test_a_bibliography_that_expands_without_end_is_given_up() -> None:
    entry = r"\def\a{\a\a}\begin{thebibliography}{9}\bibitem{k} \a\end{thebibliography}"
    extract = body(f"{LONG} Cited \\cite{{k}}. {entry}")
    assert extract.text.startswith(LONG)


def calls(piece: str, count: int) -> int:
    """How many functions are called while a document of so many of these pieces is read."""
    made = 0

    def counted(*_: object) -> None:
        nonlocal made
        made += 1

    sys.setprofile(counted)
    try:
        with contextlib.suppress(UnreadableDocument):
            read_latex(f"\\documentclass{{article}}\\begin{{document}}{LONG} {piece * count}".encode(), "x")
    finally:
        sys.setprofile(None)
    return made


@pytest.mark.parametrize(
    "piece",
    ["{", r"\textbf{", r"\footnote{", r"\begin{comment}", "$", r"\begin{tabular}{c}", r"\input{main}", r"\csname ",
     r"\begin{figure}", r"\begin{equation}", r"\if", r"\cite{a}", r"\ref{a}", r"\begin{enumerate}[label=(\alph*)]\item", r"\loop"
     r"\iftrue", r"\ac{x}",
     r"\begin{thebibliography}{9}\bibitem{a}", r"\section{a}\label{b}", r"\IfValueTF", r"\begin{algorithmic}\If{", r"\begin{theorem}"],
)  # fmt: skip
def test_the_work_is_linear_in_the_length(piece: str) -> None:
    assert calls(piece, 600) < 7 * calls(piece, 150) + 20_000


@pytest.mark.parametrize("piece", [r"\foo[", r"\textcolor{white}{", r"\def\a#1#2{", r"\SI{1}{", r"\newcommand{\a}{", r"\emph\ce{"])
def test_what_never_closes_costs_no_more_than_its_fuel(piece: str) -> None:
    assert calls(piece, 1_500) < 8_000_000
