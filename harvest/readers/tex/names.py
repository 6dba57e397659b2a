r"""What the commands and environments of LaTeX mean for a reader of words.

An argument pattern says what is dropped after a command: `*` a star, `o` an optional `[...]`, `p` an optional
`(...)`, `m` a mandatory argument. What follows the dropped arguments is read as usual: `\colorbox` with `om`
keeps its last argument. A command that no table names keeps all its arguments.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _patterns(lines: str) -> dict[str, str]:
    """Lines of `pattern: name name ...`; a dash stands for the empty pattern."""
    found = {}
    for line in lines.strip().splitlines():
        pattern, _, names = line.strip().partition(":")
        found.update(dict.fromkeys(names.split(), pattern.replace("-", "")))
    return found


def _pairs(lines: str) -> dict[str, str]:
    """Words in pairs: a name and what it stands for."""
    words = lines.split()
    return dict(zip(words[::2], words[1::2], strict=True))


ARGUMENTS = _patterns(r"""
-: tableofcontents listoffigures listoftables listoftodos hline toprule midrule bottomrule newpage clearpage cleardoublepage
-: maketitle appendix
m: bibliographystyle bibliography pagestyle thispagestyle pagenumbering hypersetup geometry graphicspath usetikzlibrary tikzset lstset
m: captionsetup sisetup pgfplotsset usepgfplotslibrary index glossary newcounter stepcounter refstepcounter newlength newsavebox usebox
m: theoremstyle includeonly hyphenation special linespread setlist urlstyle bstctlcite newblock preprint pacs pacsnumbers received accepted
m: published revised keywords shorttitle shortauthors shortauthor lefthead righthead runninghead journal doi date institute institution
m: altaffilmark altaffiltext corresp correspondingauthor orcid orcidlink cortext copyrightnotice collaboration authorrunning titlerunning
m: setmainfont setsansfont setmonofont setCJKmainfont setCJKsansfont setCJKmonofont ctexset bookmarksetup lhead rhead chead lfoot
m: rfoot cfoot
m: mathversion usetheme usecolortheme logo transparent marginnote nocite phantom hphantom vphantom romannumeral ding enlargethispage cline
m: glsadd eqnlabel hyperlink hypertarget scalebox selectlanguage plotone ccsdesc
*m: vspace hspace
o: footnotemark addlinespace nopagebreak pagebreak printbibliography printglossary printindex
oo: makebox framebox
om: usepackage RequirePackage documentclass documentstyle author thanks todo marginpar acro rotatebox colorbox pagecolor href
om: hyperref fancyhead
om: fancyfoot email address affil affiliation altaffiliation cellcolor rowcolor columncolor ead fntext tnotetext conference addbibresource
om: foreignlanguage
*om: includegraphics includesvg includepdf
omm: rule newtheorem newcolumntype sbox savebox fcolorbox pdfbookmark newacronym
mm: setlength addtolength setcounter addtocounter addcontentsline numberwithin settowidth markboth PassOptionsToPackage plottwo multicolumn
*mm: resizebox
omomo: multirow
ooom: parbox
moo: raisebox
opm: cmidrule
mmm: DeclareFontShape specialrule
pm: put
p: line vector
""")

LENGTHS = _words("""
parindent parskip textwidth textheight oddsidemargin evensidemargin topmargin headheight headsep footskip hoffset voffset hsize vsize
baselineskip lineskip tabcolsep arraycolsep leftskip rightskip vskip hskip kern mkern penalty hangindent hangafter columnsep
abovedisplayskip belowdisplayskip abovecaptionskip belowcaptionskip intextsep floatsep textfloatsep arrayrulewidth itemsep topsep
partopsep parsep leftmargin rightmargin fboxsep fboxrule tolerance hbadness vbadness hfuzz vfuzz widowpenalty clubpenalty
interlinepenalty hyphenpenalty exhyphenpenalty emergencystretch pdfgentounicode looseness unitlength lower raise moveleft moveright
displaywidowpenalty pdfoutput pdfminorversion smallskipamount medskipamount bigskipamount
""")

SYMBOLS = _pairs(r"""
% % & & # # $ $ _ _ { { } } dots … ldots … textellipsis … cdots ⋯ textendash – textemdash — S § P ¶ dag † ddag ‡ textdagger † copyright ©
textcopyright © textregistered ® texttrademark ™ pounds £ textsterling £ euro € texteuro € EUR € textdollar $ textbackslash \
textasciitilde ~
textasciicircum ^ textbar | textless < textgreater > textquoteleft ' textquoteright ' textquotedblleft “ textquotedblright ”
textquotesingle '
lq ' rq ' guillemotleft « guillemotright » textbullet • textperiodcentered · textdegree ° degree ° celsius °C textcelsius °C
textmu µ micro µ
textohm Ω textpm ± texttimes × textminus − textonehalf ½ textunderscore _ textbraceleft { textbraceright } ss ß SS SS ae æ AE Æ oe œ OE Œ
aa å AA Å o ø O Ø l ł L Ł i ı j ȷ dh ð th þ TH Þ DH Ð ng ŋ LaTeX LaTeX TeX TeX LaTeXe LaTeX2e BibTeX BibTeX XeTeX XeTeX XeLaTeX XeLaTeX
pdfTeX pdfTeX CTeX CTeX MATLAB MATLAB textsection § textparagraph ¶ checkmark ✓ textasciigrave ` textquotedbl " slash /
textnumero № lbrack [
rbrack ] lbrace { rbrace } textcent ¢ guilsinglleft ‹ guilsinglright › quotedblbase „ quotesinglbase ‚ textrightarrow → textleftarrow ←
""")
SYMBOLS.update(
    dict.fromkeys(
        [" ", ",", ";", ":", ">", "quad", "qquad", "space", "nobreakspace", "enspace", "thinspace", "enskip", "hfill", "hfil"], " "
    )
)
SYMBOLS.update(dict.fromkeys(["!", "/", "-", "@", "relax", "protect", "noindent", "centering", "xspace"], ""))

ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307", "u": "\u0306",
    "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "r": "\u030a", "b": "\u0331", "d": "\u0323",
}  # fmt: skip

SUPERSCRIPTS = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")
SUBSCRIPTS = str.maketrans("0123456789+-−()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎")

SECTIONS = {
    "part": -1, "chapter": 0, "section": 1, "subsection": 2, "subsubsection": 3, "paragraph": 4, "subparagraph": 5,
    "frametitle": 3, "addchap": 0, "addsec": 1, "minisec": 4,
}  # fmt: skip

MATH_ENVIRONMENTS = _words("""
equation align gather multline eqnarray displaymath math flalign alignat dmath dgroup xalignat xxalignat subeqnarray IEEEeqnarray
equation* align* gather* multline* eqnarray* flalign* alignat* dmath* IEEEeqnarray* empheq
""")
FLOATS = _pairs("""
figure Figure figure* Figure wrapfigure Figure SCfigure Figure sidewaysfigure Figure sidewaysfigure* Figure floatingfigure Figure
marginfigure Figure scheme Figure table Table table* Table wraptable Table sidewaystable Table sidewaystable* Table SCtable Table
deluxetable Table deluxetable* Table threeparttable Table algorithm Algorithm algorithm* Algorithm
""")
TABLES = _patterns("""
m: supertabular xtabular tabu longtabu NiceTabular mpsupertabular
mm: tabulary ltablex xltabular
om: tabular longtable longtable* tblr longtblr array
mom: tabular* tabularx
""")
LISTS = _words("itemize enumerate description compactitem compactenum compactdesc inparaenum list trivlist easylist enumerate* itemize*")
DROPPED = _words("""
tikzpicture pgfpicture pspicture picture lstlisting minted comment filecontents filecontents* thebibliography asy axis CCSXML IEEEbiography
IEEEbiographynophoto keywords keyword IEEEkeywords tikzcd circuitikz feynman fmffile fmfgraph forest overpic dot2tex algorithmic
algorithmicx biblist acronym filecontentsdef luacode luacode* references
""")
VERBATIM = _words("verbatim verbatim* Verbatim alltt BVerbatim LVerbatim")
ENVIRONMENT_ARGUMENTS = _patterns("""
o: figure figure* table table* algorithm frame abstract itemize enumerate description compactitem compactenum compactdesc mdframed
o: tcolorbox sidewaystable sidewaysfigure appendices subappendices threeparttable landscape
m: multicols adjustbox spacing otherlanguage deluxetable deluxetable* textblock* addmargin alignat alignat* xalignat empheq
om: SCfigure multicols* subfigure subtable
mm: CJK CJK* list changemargin
mp: textblock
ooom: minipage
omom: wrapfigure wraptable
""")

CITES = _words("""
cite citep citet citealt citealp citeauthor citeyear citeyearpar parencite textcite autocite footcite supercite citenum
onlinecite Citet Citep
Cite Textcite Parencite Autocite fullcite citen textcites parencites smartcite inlinecite upcite citeonline cites autocites
""")
REFS = {
    "ref": "", "eqref": "()", "pageref": "page", "autoref": "long", "cref": "short", "Cref": "long", "vref": "", "prettyref": "",
    "subref": "", "fref": "", "nameref": "", "labelcref": "", "crefrange": "short",
}  # fmt: skip
LONG_NAMES = _pairs("section Section figure Figure table Table equation Equation item item algorithm Algorithm footnote footnote")
SHORT_NAMES = _pairs("section section figure Fig. table Table equation Eq. item item algorithm Algorithm footnote footnote")

CONDITIONS = _words("""
if ifx ifcat ifnum ifdim ifodd ifmmode ifhmode ifvmode ifinner ifdefined ifcsname ifvoid ifhbox ifvbox ifeof ifcase iftrue iffalse
ifpdf ifxetex ifluatex ifPDFTeX ifXeTeX ifLuaTeX if@twocolumn if@filesw if@compatibility
""")
# What the interpreter itself understands: a document that redefines these only changes how they look.
STRUCTURAL = _words(r"""
begin end title abstract caption footnote footnotetext item input include par \\ document maketitle newcommand renewcommand def let cite ref
label appendix emph textbf textit texttt textsc textrm textsf text mathrm bibitem thebibliography $ left right verb
""")
