"""What the packages that physicists use print: units, tables, lists, code, acronyms, theorems, quotations, languages."""

from __future__ import annotations

import pytest
from written_latex import LONG, body, text_of


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"\SI{3.5}{\kilo\volt} at \qty{20}{\degreeCelsius}, \num{1.2e-3}, \si{\metre\per\second}", "3.5 kV at 20 °C, 1.2×10⁻³, m/s"),
        (r"\SI[per-mode=symbol]{5(1)}{\GeV} \qty{3}{\micro\metre} \qty{2}{\metre\squared} \qty{1}{cm^{-2}}", "5(1) GeV 3 µm 2 m² 1 cm⁻²"),
        (r"\SIrange{1}{2}{\MeV}, \numlist{1;2;3}, \ang{12;30;}, \qty{5}{\percent}", "1 to 2 MeV, 1, 2 and 3, 12°30′, 5%"),
        (r"\num{3 +- 1} and \num{1e5}", "3 ± 1 and 1×10⁵"),
        (r"\DeclareSIUnit\year{yr}\newcommand{\mev}{\mega\electronvolt}\qty{3}{\year} \SI{1}{\mev}", "3 yr 1 MeV"),
        (r"$E=\SI{3}{\kilo\volt}$", r"$E=3\,\mathrm{kV}$"),
        (r"\ce{H2SO4} \ce{SO4^2-} \ce{2H2 + O2 -> 2H2O} \ce{^{238}U}", "H₂SO₄ SO₄²⁻ 2H₂ + O₂ → 2H₂O ²³⁸U"),
        (r"CO$_2$, 10$^{-3}$, M.~Alef$^1$, 5$\times$3, 20$^\circ$C, 3~$\mu$m, $x_2$", "CO₂, 10⁻³, M. Alef¹, 5×3, 20°C, 3 µm, $x_2$"),
        (r"\enquote{an \enquote{inner} one} and \textquote[Bohr]{it}", "“an ‘inner’ one” and “it” (Bohr)"),
        (r"\texttt{--help} but a -- b", "--help but a – b"),
        (r"\nicefrac{1}{2} \textsuperscript{a} \MakeUppercase{abc $x$}", "1/2 a ABC $x$"),
        (r"\sout{struck} \hl{bright} \uline{under}", "struck bright under"),
        (r"\replaced{new}{old} \added{more}\deleted{less}", "new more"),
        (r"\href{http://x.org/%7Ea}{page}, \url{http://x.org/a_b%20c#d}, \hyperref[sec:x]{there}", "page, http://x.org/a_b%20c#d, there"),
        (r"\verb|\foo{%}| and \lstinline[language=C]{x = 1;} and \verb+a|b+", r"\foo{%} and x = 1; and a|b"),
        (r"$\ket{\psi}$ and $\dv{f}{x}$", r"$\ket{\psi}$ and $\dv{f}{x}$"),
        (r"\foreignlanguage{german}{Stra\ss e} \selectlanguage{english}here", "Straße here"),
        (r"\hypertarget{x}{shown} \unknowncommand[key=1]{kept}{too} \fancyspace{3cm}kept", "shown kept too kept"),
        (r"\og mot\fg{} et", "« mot » et"),
    ],
)  # fmt: skip
def test_packages_print_what_a_reader_sees(latex: str, plain: str) -> None:
    assert " ".join(text_of(latex).split()) == plain


def test_physics_keeps_its_own_qty() -> None:
    assert text_of(r"$\qty(\frac{a}{b})$", r"\usepackage{physics}") == r"$\qty(\frac{a}{b})$"


ACRONYMS = r"""\newacronym{lhc}{LHC}{Large Hadron Collider}\newglossaryentry{pike}{name=pike,plural=pike,description={a fish}}
\DeclareAcronym{rf}{short=RF, long=radio frequency}"""


def test_acronyms_are_written_out_at_their_first_use() -> None:
    text = text_of(r"The \gls{lhc} has \ac{rf}; \gls{lhc} and \acp{rf}, \acrlong{lhc}, \acs{rf}. \Gls{pike} and \glspl{pike}.", ACRONYMS)
    assert text == (
        "The Large Hadron Collider (LHC) has radio frequency (RF); LHC and RFs, Large Hadron Collider, RF. Pike and pike."
    )  # fmt: skip
    assert text_of(r"A \gls{pike}. \printglossary", ACRONYMS).endswith("- pike: a fish")
    later = text_of(r"An \ac{rf} cavity, an \ac{rf} gun.\begin{acronym}\acro{rf}[RF]{radio frequency}\end{acronym}")
    assert later == "An radio frequency (RF) cavity, an RF gun.\n\n- RF: radio frequency"


def test_tables_become_markdown() -> None:
    text = text_of(
        "\\begin{table}\\caption{Parts.}\\begin{tabular}{l|rr}\\toprule Name & \\multicolumn{2}{c}{Size} \\\\ \\hline\n"
        "\\textbf{Pike} & 3\\,m & $|x|$ \\\\[2pt]\\multirow{2}{*}{Both} & \\makecell{a\\\\b} & \\\\\\bottomrule\\end{tabular}\\end{table}"
    )
    assert text == "Table 1: Parts.\n\n| Name | Size | |\n| --- | --- | --- |\n| Pike | 3 m | $\\vert x\\vert $ |\n| Both | a b | |"


def test_tables_for_layout_are_lines_and_long_ones_say_their_head_once() -> None:
    assert text_of(r"\begin{tabular}{c}one\\two\end{tabular}") == "one\ntwo"
    long = (
        r"\begin{longtable}{ll}\caption{L}\\A&B\\\endfirsthead A&B\\\endhead\hline more\\\endfoot\hline\endlastfoot 1&2\\3&4"
        r"\end{longtable}"
    )
    assert text_of(long) == "Table 1: L\n\n| A | B |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"
    nested = r"\begin{tabular}{ll}\begin{tabular}{c}Energy\\(GeV)\end{tabular}&B\\1&2\end{tabular}"
    assert text_of(nested) == "| Energy (GeV) | B |\n| --- | --- |\n| 1 | 2 |"


def test_deluxe_tables_of_astronomers() -> None:
    text = text_of(
        r"\begin{deluxetable}{ll}\tablecaption{Stars}\tablehead{\colhead{Name}&\colhead{$V$}}\startdata A&1\\B&2\enddata"
        r"\tablecomments{In magnitudes.}\end{deluxetable}"
    )
    assert text == "Table 1: Stars\n\n| Name | $V$ |\n| --- | --- |\n| A | 1 |\n| B | 2 |\n\nIn magnitudes."


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"\begin{itemize}\item one\item[B] two\end{itemize}\begin{enumerate}\item x\item y\end{enumerate}",
        "- one\n\n- B: two\n\n1. x\n\n2. y"),
        (r"\begin{enumerate}\item a\begin{enumerate}\item b\end{enumerate}\item c\end{enumerate}", "1. a\n\n(a) b\n\n2. c"),
        (r"\begin{enumerate}[label=(\roman*),start=3]\item a\item b\end{enumerate}", "(iii) a\n\n(iv) b"),
        (r"\begin{enumerate}[a)]\item a\item b\end{enumerate}", "a) a\n\nb) b"),
        (r"\begin{enumerate}[Step 1:]\item a\item b\end{enumerate}", "Step 1: a\n\nStep 2: b"),
        (r"\begin{enumerate}\item a\end{enumerate}\begin{enumerate}[resume]\item b\end{enumerate}", "1. a\n\n2. b"),
        (r"We have \begin{inparaenum}[(i)]\item one, \item two\end{inparaenum} here.", "We have (i) one, (ii) two here."),
        (r"\begin{description}\item[Ring] round\item[Line:] long\end{description}", "- Ring: round\n\n- Line: long"),
        (r"\newlist{steps}{enumerate}{1}\setlist[steps]{label=S\arabic*.}\begin{steps}\item a\end{steps}", "S1. a"),
    ],
)  # fmt: skip
def test_lists_are_marked_as_printed(latex: str, plain: str) -> None:
    assert text_of(latex) == plain


def test_program_text_and_pseudocode_stay_lines() -> None:
    assert text_of("A\n\\begin{verbatim}\nx = {$\n\n  y % no comment\n\\end{verbatim}\nB") == "A\n\n```\nx = {$\n  y % no comment\n```\n\nB"
    listing = "\\begin{lstlisting}[language=C, caption={Sum}, label=l]\nint x;\n\\end{lstlisting}See \\ref{l}."
    assert text_of(listing) == "Listing 1: Sum\n\n```\nint x;\n```\n\nSee 1."
    assert text_of("\\begin{minted}{python}\nprint(1)\n\\end{minted}") == "```\nprint(1)\n```"
    pseudo = (
        r"\begin{algorithm}\caption{Sort}\begin{algorithmic}[1]\Require $n$\If{$a>b$}\State swap \Comment{now}\Else\State stop\EndIf"
        r"\end{algorithmic}\end{algorithm}"
    )
    assert text_of(pseudo) == "Algorithm 1: Sort\n\nRequire: $n$\nif $a>b$ then\nswap ▷ now\nelse\nstop\nend if"
    second = r"\begin{algorithm}\KwIn{$n$}\While{$n>0$}{step\; \Return $n$\;}\caption{Loop}\end{algorithm}"
    told = text_of(second, r"\usepackage{algorithm2e}")
    assert told == "Input: $n$\nwhile $n>0$ do\nstep\nreturn $n$\nend\n\nAlgorithm 1: Loop"


def test_theorems_have_their_names_and_numbers() -> None:
    text = text_of(
        r"\begin{thm}[Liouville]\label{t}Volume stays.\end{thm}\begin{proof}Trivial.\end{proof}\begin{rem*}See \ref{t}.\end{rem*}",
        r"\newtheorem{thm}{Theorem}\newtheorem*{rem*}{Remark}",
    )
    assert text == "Theorem 1 (Liouville). Volume stays.\n\nProof. Trivial.\n\nRemark. See 1."


def test_parts_of_figures_are_marked_and_pictures_are_gone() -> None:
    text = text_of(
        r"\begin{figure}\begin{subfigure}{0.4\textwidth}\includegraphics{a}\caption{Left}\end{subfigure}"
        r"\begin{subfigure}[b]{3cm}\caption{Right}\label{r}\end{subfigure}\caption[short]{Both}\label{f}\end{figure}"
        r"\begin{tikzpicture}\node {gone};\end{tikzpicture}See \ref{r} of \ref{f}.\begin{wrapfigure}{r}{3cm}\caption{W}\end{wrapfigure}"
    )
    assert text == "See 1b of 1.\n\n(a) Left\n\n(b) Right\n\nFigure 1: Both\n\nFigure 2: W"


def test_the_language_of_the_document_names_its_parts() -> None:
    assert "Abbildung 1: Ring" in text_of(r"\begin{figure}\caption{Ring}\end{figure}", r"\usepackage[english,ngerman]{babel}")
    chinese = body("\\begin{abstract}很短。\\end{abstract}\\begin{figure}\\caption{储存环}\\end{figure}图 1。", "\\usepackage{ctex}")
    assert chinese.sections[0].title == "摘要"
    assert "图 1: 储存环" in chinese.text
    assert "Fig. 1: Ring" in text_of(r"\renewcommand{\figurename}{Fig.}\begin{figure}\caption{Ring}\end{figure}")


@pytest.mark.parametrize(
    ("kind", "front"),
    [
        ("revtex4-2", r"\title{On Rings}\author{A. Person}\affiliation{Somewhere}\begin{abstract}Short.\end{abstract}"
         r"\keywords{rings, beams}\maketitle"),
        ("elsarticle", r"\begin{frontmatter}\title{On Rings\tnoteref{t}}\tnotetext[t]{Money}\author[a]{A. Person\fnref{f}}"
         r"\address[a]{Somewhere}"
         r"\begin{abstract}Short.\end{abstract}\begin{keyword}rings, beams\end{keyword}\end{frontmatter}"),
        ("jacow", r"\title{On Rings\thanks{for money}}\author{A. Person\textsuperscript{1}, Somewhere}\maketitle"
         r"\begin{abstract}Short.\end{abstract}"
         r"\keywords{rings, beams}"),
        ("aastex631", r"\title{On Rings}\author{A. Person}\altaffiltext{1}{Somewhere}\begin{abstract}Short.\end{abstract}"
         r"\keywords{rings, beams}"),
    ],
)  # fmt: skip
def test_front_matter_keeps_title_abstract_and_key_words(kind: str, front: str) -> None:
    extract = body(f"{front}\\section{{One}}{LONG}", kind=kind)
    assert extract.title == "On Rings"
    assert [section.title for section in extract.sections] == ["Abstract", "One"]
    assert "Short." in extract.text
    assert "Keywords: rings, beams" in extract.text
    assert not any(word in extract.text for word in ("Person", "Somewhere", "oney"))


def test_a_title_page_without_title_gives_its_largest_letters() -> None:
    extract = body(r"\begin{titlepage}{\large A Foundation}\\{\Huge Features of\\ Machines}\end{titlepage}\section{One}Text.")
    assert extract.title == "Features of Machines"
