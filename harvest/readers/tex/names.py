r"""What the commands and environments of LaTeX mean for a reader of words.

An argument pattern says what is dropped after a command: `*` a star, `o` an optional `[...]`, `p` an optional
`(...)`, `<` an overlay `<...>`, `m` a mandatory argument. What follows the dropped arguments is read as usual:
`\colorbox` with `om` keeps its last argument. A command that no table names keeps all its arguments.
"""

from __future__ import annotations

from harvest.readers.tex.wordlists import pairs, patterns, words

ARGUMENTS = patterns(r"""
-: tableofcontents listoffigures listoftables listoftodos hline toprule midrule bottomrule newpage clearpage cleardoublepage
-: maketitle frontmatter mainmatter backmatter makeatletter makeatother printkeywords thepage
m: pagestyle thispagestyle pagenumbering hypersetup geometry graphicspath usetikzlibrary tikzset lstset
m: captionsetup sisetup pgfplotsset usepgfplotslibrary index glossary newlength newsavebox usebox acsetup
m: theoremstyle includeonly hyphenation special linespread urlstyle bstctlcite preprint pacs pacsnumbers received accepted
m: published revised shorttitle shortauthors shortauthor lefthead righthead runninghead journal date institute institution
m: altaffilmark corresp correspondingauthor orcid orcidlink cortext copyrightnotice collaboration authorrunning titlerunning
m: setmainfont setsansfont setmonofont setCJKmainfont setCJKsansfont setCJKmonofont ctexset bookmarksetup
m: lhead rhead chead lfoot rfoot cfoot fancyhfinit fancyheadinit fancyfootinit AtEndDocument message typeout errmessage
m: mathversion usetheme usecolortheme logo transparent marginnote phantom hphantom vphantom enlargethispage cline
m: glsadd eqnlabel selectlanguage foreignlanguage tnoteref fnref corref plotone ccsdesc bibpunct makeglossary openout immediate
m: bibinfo bibfield href@noop Eprint BibitemShut SortNoop bibAnnoteFile hypertarget hyperlink subjclass dedicatory urladdr curraddr
m: thanksref setmathfont captionstyle captiondelim floatname setstretch
m: microtypesetup
m: allowdisplaybreaks tolerance bibhang MakePerPage hangcaption DisableLigatures deleted DeclareGraphicsExtensions preto
m: mciteSubRef setkomafont pdfinfo pdfcatalog ClassWarning ClassError pgfdeclarelayer pgfsetlayers
*m: vspace hspace addvspace crefalias
o: hyperref blindtext Blindtext lipsum kantlipsum footnotemark addlinespace nopagebreak pagebreak printindex endnotemark thanksmark
oo: makebox framebox
om: usepackage RequirePackage documentclass documentstyle author thanks todo marginpar rotatebox colorbox pagecolor acks
om: fancyhead fancyfoot fancyhf email address affil affiliation altaffiliation cellcolor rowcolor columncolor ead fntext tnotetext
om: addbibresource conference missingfigure inst homepage setlist
om: DeclareGraphicsRule setotherlanguage setdefaultlanguage setmainlanguage setotherlanguages
*om: includegraphics includesvg includepdf
omm: rule newcolumntype sbox savebox fcolorbox pdfbookmark fancyfootoffset crefformat
mm: setlength addtolength addcontentsline settowidth settoheight settodepth markboth PassOptionsToPackage PassOptionsToClass
mm: altaffiltext plottwo setkeys DeclareCaptionFormat  DeclareCaptionLabelFormat addtokomafont definecolorset
mm: colorlet DeclareCaptionLabelSeparator DeclareCaptionFont crefdefaultlabelformat
m: crefpairconjunction sfcode lccode uccode
mmm: specialrule etocsettocstyle creflabelformat
ommmmm: patchcmd
mmmm: apptocmd pretocmd
mmmmmm: titlespacing DeclareFontShape crefmultiformat
om: titlespacing*
mo: newfloat DeclareCaptionType
*mm: resizebox
omomo: multirow
ooom: parbox
moo: raisebox
opm: cmidrule
pm: put
pmm: multiput
p: line vector qbezier
""")

LENGTHS = words("""
parindent parskip textwidth textheight oddsidemargin evensidemargin topmargin headheight headsep footskip hoffset voffset hsize vsize
baselineskip lineskip tabcolsep arraycolsep leftskip rightskip vskip hskip kern mkern mskip penalty hangindent hangafter columnsep
abovedisplayskip belowdisplayskip abovecaptionskip belowcaptionskip intextsep floatsep textfloatsep arrayrulewidth itemsep topsep
partopsep parsep leftmargin rightmargin fboxsep fboxrule tolerance hbadness vbadness hfuzz vfuzz widowpenalty clubpenalty
interlinepenalty hyphenpenalty exhyphenpenalty emergencystretch pdfgentounicode looseness unitlength lower raise moveleft moveright
displaywidowpenalty pdfoutput pdfminorversion pdfcompresslevel smallskipamount medskipamount bigskipamount columnwidth linewidth
abovedisplayshortskip belowdisplayshortskip pretolerance hyphenchar brokenpenalty predisplaypenalty postdisplaypenalty relpenalty
binoppenalty lineskiplimit baselinestretch paperwidth paperheight footnotesep marginparwidth marginparsep LTpre LTpost extrarowheight
""")

SECTIONS = {
    "part": -1, "chapter": 0, "section": 1, "subsection": 2, "subsubsection": 3, "paragraph": 4, "subparagraph": 5,
    "frametitle": 3, "addchap": 0, "addsec": 1, "addpart": -1, "minisec": 4,
}  # fmt: skip

# How each environment for displayed formulas numbers (one, each row, none), and the environment that shows its rows inside $$.
MATH_ENVIRONMENTS: dict[str, tuple[str, str]] = {
    "equation": ("one", "aligned"), "displaymath": ("", "aligned"), "math": ("", ""), "multline": ("one", "gathered"),
    "align": ("rows", "aligned"), "alignat": ("rows", "aligned"), "flalign": ("rows", "aligned"), "xalignat": ("rows", "aligned"),
    "xxalignat": ("", "aligned"), "gather": ("rows", "gathered"), "eqnarray": ("rows", "eqnarray"), "subeqnarray": ("rows", "eqnarray"),
    "IEEEeqnarray": ("rows", "aligned"), "dmath": ("one", "aligned"), "dgroup": ("rows", "aligned"), "empheq": ("one", "aligned"),
    "darray": ("rows", "aligned"), "mathpar": ("", "gathered"),
}  # fmt: skip
MATH_ENVIRONMENTS |= {f"{name}*": ("", shown) for name, (_, shown) in MATH_ENVIRONMENTS.items() if name not in ("math", "displaymath")}

FLOATS = pairs("""
figure figure figure* figure wrapfigure figure SCfigure figure SCfigure* figure sidewaysfigure figure sidewaysfigure* figure
floatingfigure figure marginfigure figure scheme scheme table table table* table wraptable table sidewaystable table sidewaystable* table
SCtable table margintable table deluxetable table deluxetable* table threeparttable table measuredfigure figure
algorithm algorithm algorithm* algorithm algorithm2e algorithm listing lstlisting subfigure subfigure subtable subtable subcaptionblock
subfigure
""")
TABLES = patterns("""
m: supertabular xtabular tabu longtabu mpsupertabular tabularray
mm: tabulary ltablex xltabular
om: tabular longtable longtable* tblr longtblr array NiceTabular
mom: tabular* tabularx NiceTabular* NiceTabularX
""")
ENUMERATIONS = words("enumerate compactenum inparaenum asparaenum enumerate* tasks")
INLINE_LISTS = words("inparaenum inparaitem inparadesc enumerate* itemize* description*")
LISTS = (
    ENUMERATIONS
    | INLINE_LISTS
    | words("""
itemize description compactitem compactdesc list trivlist easylist asparaitem IEEEdescription labeling
""")
)
DROPPED = words("""
tikzpicture pgfpicture pspicture picture comment filecontents filecontents* asy axis CCSXML IEEEbiography
IEEEbiographynophoto tikzcd circuitikz feynman fmffile fmfgraph forest overpic dot2tex biblist filecontentsdef luacode luacode*
tikzpicture* psfrags fmfgraph* fmfchar feynartspicture textblock textblock*
""")
CODE = words("""
verbatim verbatim* Verbatim Verbatim* alltt BVerbatim LVerbatim SaveVerbatim lstlisting minted code pyverbatim boxedverbatim
""")
ENVIRONMENT_ARGUMENTS = patterns("""
o: figure figure* table table* algorithm algorithm* algorithm2e frame abstract mdframed listing scheme margintable marginfigure
o: sidewaystable sidewaysfigure appendices subappendices threeparttable landscape tcolorbox tablenotes center appendix acronym
m: multicols adjustbox spacing otherlanguage otherlanguage* deluxetable deluxetable* addmargin alignat alignat* xalignat xalignat*
m: addmargin*
m: xxalignat hyphenrules
om: SCfigure multicols* subfigure subtable measuredfigure subcaptionblock empheq empheq* IEEEeqnarray IEEEeqnarray*
mm: CJK CJK* changemargin
ooom: minipage
omom: wrapfigure wraptable
mo: floatingfigure
""")
# Where TeX begins a paragraph of its own.
BREAKING = words("""
quote quotation center flushleft flushright verse document frame block minipage multicols titlepage displayquote tcolorbox mdframed
frontmatter abstract* keyword acknowledgments acknowledgements acknowledgement shaded framed boxedminipage adjustwidth spacing landscape
""")

CITES = words("""
cite citep citet citealt citealp citeauthor citeyear citeyearpar parencite textcite autocite footcite supercite citenum
onlinecite Citet Citep Citealt Citealp Citeauthor Cite Textcite Parencite Autocite fullcite citen textcites parencites smartcite
inlinecite
upcite citeonline cites autocites citedate footfullcite shortcite citeasnoun newcite citelist mcite citeA
""")
REFS = {
    "ref": "", "eqref": "()", "pageref": "page", "autoref": "autoref", "cref": "cref", "Cref": "Cref", "vref": "", "Vref": "Cref",
    "prettyref": "", "subref": "", "fref": "cref", "Fref": "Cref", "nameref": "name", "labelcref": "", "autopageref": "page",
    "cpageref": "page",
    "fullref": "cref", "Ref": "", "vpageref": "page", "refeq": "()", "titleref": "name", "Autoref": "Cref", "zcref": "cref",
}  # fmt: skip

CONDITIONS = words("""
if ifx ifcat ifnum ifdim ifodd ifmmode ifhmode ifvmode ifinner ifdefined ifcsname ifvoid ifhbox ifvbox ifeof ifcase iftrue iffalse
ifpdf ifxetex ifluatex ifPDFTeX ifXeTeX ifLuaTeX iftutex ifTUTeX if@twocolumn if@filesw if@compatibility if@tempswa if@restonecol
if@twoside if@openright if@mainmatter if@nobreak if@inlabel if@noskipsec ifvtex ifthispageodd
""")
# A document that redefines these only changes how they look.
STRUCTURAL = words(r"""
begin end title abstract caption footnote footnotetext item input include par \\ document maketitle newcommand renewcommand def let
label appendix emph textbf textit texttt textsc textrm textsf text mathrm bibitem thebibliography $ left right verb bibliography
""")
PROTECTED_ENVIRONMENTS = words("document abstract thebibliography itemize enumerate description").union(MATH_ENVIRONMENTS, FLOATS, TABLES)
