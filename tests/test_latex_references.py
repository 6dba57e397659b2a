"""Numbers, references, citations and the bibliography of LaTeX, as a reader of the printed page sees them."""

from __future__ import annotations

import pytest
from written_latex import LONG, body, text_of

from harvest.readers.latex import read_source
from harvest.readers.source import SourceTree

HYPERREF = r"\usepackage{hyperref}\usepackage{cleveref}"


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"\section{A}\subsection{B}\label{b}See \ref{b} and \S\ref{b}.", "See 1.1 and §1.1."),
        (r"\section{A}\appendix\section{B}\label{b}\subsection{C}\label{c}See \ref{b}, \ref{c}.", "See A, A.1."),
        (r"\setcounter{section}{4}\section{A}\label{a}\section*{N}See \ref{a}.", "See 5."),
        (r"\begin{equation}\label{e}x\end{equation}By \eqref{e}, (\ref{e}), \autoref{e}, \cref{e}.", "By (1), (1), Equation 1, eq. (1)."),
        (r"\begin{align}a\label{a}\\b\nonumber\\c\label{c}\end{align}See \ref{a}, \ref{c}.", "See 1, 2."),
        (r"\begin{equation}\tag{N'}\label{t}x\end{equation}See \eqref{t}.", "See (N')."),
        (r"\begin{subequations}\label{p}\begin{align}a\label{a}\\b\label{b}\end{align}\end{subequations}\begin{equation}\label{q}c"
         r"\end{equation}"
         r"See \ref{p}, \ref{a}, \ref{b}, \ref{q}.", "See 1, 1a, 1b, 2."),
        (r"\numberwithin{equation}{section}\section{A}\begin{equation}\label{e}x\end{equation}See \ref{e}.", "See 1.1."),
        (r"\begin{figure}\caption{F}\label{f}\end{figure}\begin{table}\caption{T}\label{t}\end{table}\autoref{f}, \Cref{t}, \cref{f}",
         "Figure 1, Table 1, fig. 1"),
        (r"\begin{figure}\subfloat[one\label{s}]{x}\subfloat[two\label{u}]{y}\caption{F}\label{f}\end{figure}See \ref{f}, "
         r"\ref{s}, \ref{u}.",
         "See 1, 1a, 1b."),
        (r"\begin{equation}\label{a}x\end{equation}\begin{equation}\label{b}x\end{equation}\begin{equation}\label{c}x\end{equation}"
         r"\cref{a,b,c} \Cref{a,c} \crefrange{a}{c}", "eqs. (1) to (3) Equations (1) and (3) eqs. (1) to (3)"),
        (r"\begin{enumerate}\item\label{i} x\begin{enumerate}\item\label{j} y\end{enumerate}\end{enumerate}See \ref{i}, "
         r"\ref{j}.", "See 1, 1a."),
        (r"\newtheorem{thm}{Theorem}\newtheorem{lem}[thm]{Lemma}\begin{thm}\label{t}x\end{thm}\begin{lem}\label{l}y\end{lem}"
         r"\autoref{t}, \cref{l}, \ref{l}",
         "Theorem 1, lemma 2, 2"),
        (r"\section{The ring}\label{r}See \nameref{r}.", "See The ring."),
        (r"Nothing (\ref{nowhere}), as in \eqref{nowhere}.", "Nothing, as in."),
        (r"See Section 1 on page~\pageref{x} or p.~\pageref{x}.\label{x}", "See Section 1 or."),
        (r"\renewcommand{\thesection}{\Roman{section}}\section{A}\section{B}\label{b}See \ref{b}.", "See II."),
    ],
)  # fmt: skip
def test_references_say_the_numbers_that_are_printed(latex: str, plain: str) -> None:
    assert plain in text_of(latex, HYPERREF).splitlines()


def test_chapters_number_what_is_in_them() -> None:
    text = text_of(
        r"\chapter{A}\chapter{B}\section{S}\label{s}\begin{figure}\caption{F}\label{f}\end{figure}\begin{equation}\label{e}x"
        r"\end{equation}"
        r"See \ref{s}, \ref{f}, \eqref{e}.",
        kind="book",
    )
    assert "Figure 2.1: F" in text
    assert r"$$ x \tag{2.1} $$" in text
    assert "See 2.1, 2.1, (2.1)." in text


def test_sections_of_physical_review_are_roman() -> None:
    text = text_of(r"\section{A}\section{B}\subsection{C}\label{c}See \ref{c}.", kind="revtex4-2")
    assert text.endswith("See II A.")


BIB = r"""
@string{prab = "Phys. Rev. Accel. Beams"}
@article{smith, author = {Smith, John and M\"uller, Eva}, title = {The {LHC} ring}, journal = prab, volume = 3, pages = "1--9",
  year = 2012, doi = {10.1/a_b}}
@book{abel, author = "Abel, Ann and Bell, Bo and Cole, Cy", title = {Rings}, publisher = {P}, year = {1999}}
@misc{unused, title = {Nobody cites this}}
"""
CITING = (
    r"\documentclass{article}%s\begin{document}"
    + LONG
    + r" See \cite{smith} and %s{abel}.\bibliographystyle{%s}\bibliography{refs}\end{document}"
)


def cited(preamble: str, command: str, style: str, **files: str) -> tuple[str, tuple[str, ...]]:
    """The last sentence of a document that cites, and its bibliography."""
    tree = SourceTree({"main.tex": CITING % (preamble, command, style), **{name.replace("_", "."): text for name, text in files.items()}})
    extract = read_source(tree, "x")
    return extract.text.removeprefix(LONG).strip(), extract.references


def test_a_database_gives_numbers_in_the_order_of_citation_and_one_line_for_each_work() -> None:
    text, references = cited("", r"\cite[p.~3]", "unsrt", refs_bib=BIB)
    assert text == "See [1] and [2, p. 3]."
    assert references == (
        "John Smith, Eva Müller. The LHC ring. Phys. Rev. Accel. Beams 3, 1–9 (2012). doi:10.1/a_b.",
        "Ann Abel, Bo Bell, Cy Cole. Rings. P (1999).",
    )


def test_a_style_that_sorts_numbers_by_author() -> None:
    assert cited("", r"\cite", "plain", refs_bib=BIB)[0] == "See [2] and [1]."


def test_natbib_prints_authors_and_years() -> None:
    text, _ = cited(r"\usepackage{natbib}", r"\citep[e.g.][]", "plainnat", refs_bib=BIB)
    assert text == "See Smith and Müller (2012) and (e.g. Abel et al., 1999)."
    assert cited(r"\usepackage[numbers]{natbib}", r"\citet", "plainnat", refs_bib=BIB)[0] == "See [2] and Abel et al. [1]."


BBL = r"""\begin{thebibliography}{9}
\providecommand{\natexlab}[1]{#1}\expandafter\ifx\csname url\endcsname\relax\def\url#1{#1}\fi
\bibitem[{\citenamefont{Smith et~al.}(2012)Smith, Jones}]{smith}
\bibinfo{author}{\bibfnamefont{J.}~\bibnamefont{Smith}} \emph{et~al.}, \newblock {Rings}, \href{http://x.org/1}{P \textbf{3}, 1} (2012).
\bibitem[Abel(1999{\natexlab{a}})]{abel} A. Abel, % a comment
Rings.
\end{thebibliography}"""


def test_a_bbl_is_preferred_and_its_labels_are_read() -> None:
    text, references = cited(r"\usepackage{natbib}", r"\citealt", "apsrev", main_bbl=BBL, refs_bib=BIB)
    assert text == "See Smith et al. (2012) and Abel 1999a."
    assert references == ("J. Smith et al., Rings, P 3, 1 (2012).", "A. Abel, Rings.")


BIBLATEX = r"""\refsection{0}\datalist[entry]{nty}
  \entry{smith}{article}{}
    \name{author}{2}{}{%
      {{hash=1}{family={Smith},familyi={S\bibinitperiod},given={John},giveni={J\bibinitperiod}}}%
      {{hash=2}{family={M\"uller},given={Eva}}}%
    }
    \strng{namehash}{x}
    \field{title}{Rings}
    \field{journaltitle}{P}
    \field{year}{2012}
  \endentry
\enddatalist"""


def test_the_bbl_of_biber_is_read() -> None:
    main = r"\documentclass{article}\usepackage[style=authoryear]{biblatex}\begin{document}%s See \textcite{smith}."
    r"\printbibliography\end{document}"
    extract = read_source(SourceTree({"main.tex": main % LONG, "main.bbl": BIBLATEX}), "x")
    assert extract.text == f"{LONG} See Smith and Müller (2012)."
    assert extract.references == ("John Smith, Eva Müller. Rings. P (2012).",)


def test_a_typed_bibliography_is_kept_apart_but_advice_on_references_stays() -> None:
    typed = body(
        r"\section*{References}\begin{enumerate}\item A. Abel, Rings, 1999.\item B. Bell, Beams, 2001.\end{enumerate}\section{More}Text."
    )
    assert typed.references == ("1. A. Abel, Rings, 1999.", "2. B. Bell, Beams, 2001.")
    assert "Abel" not in typed.text
    advice = body(
        r"\section{References}All web references should be numbered and listed at the end of the paper, in order.\section{More}Text."
    )
    assert advice.references == ()
    assert "All web references should be numbered" in advice.text


def test_text_around_a_bibliography_stays() -> None:
    extract = body(
        r"Before \cite{a,b}.\begin{thebibliography}{9}\bibitem{b} B.\bibitem{a} A\par A2.\end{thebibliography}\appendix\section{X}After."
    )
    assert extract.text.startswith("Before [2, 1].\n\nX\n\nAfter.")
    assert extract.references == ("B.", "A A2.")


def test_a_citation_is_parted_from_the_word_before_it() -> None:
    assert text_of(r"as measured\cite{a}, and (\cite{b})") == "as measured [1], and ([2])"
