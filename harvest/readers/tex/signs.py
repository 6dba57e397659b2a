r"""Signs: what accents, symbol commands and raised digits look like in Unicode."""

from __future__ import annotations

from harvest.readers.tex.wordlists import lines, pairs, words

SYMBOLS = pairs(r"""
% % & & # # $ \$ _ _ { { } } dots … ldots … textellipsis … cdots ⋯ textendash – textemdash — S § P ¶ dag † ddag ‡ textdagger †
textdaggerdbl ‡ copyright © textcopyright © textregistered ® texttrademark ™ pounds £ textsterling £ euro € texteuro € EUR €
textdollar \$ textbackslash \ textasciitilde ~ textasciicircum ^ textbar | textless < textgreater > textquoteleft '
textquoteright ' textquotedblleft “ textquotedblright ” textquotesingle ' lq ' rq ' guillemotleft « guillemotright » guillemetleft «
guillemetright » textbullet • textperiodcentered · textdegree ° degree ° celsius °C textcelsius °C textmu µ micro µ textohm Ω
textpm ± texttimes × textminus − textonehalf ½ textonequarter ¼ textthreequarters ¾ textunderscore _ textbraceleft { textbraceright }
ss ß SS SS ae æ AE Æ oe œ OE Œ aa å AA Å o ø O Ø l ł L Ł i ı j ȷ dh ð dj đ DJ Đ th þ TH Þ DH Ð ng ŋ NG Ŋ LaTeX LaTeX TeX TeX
LaTeXe LaTeX2e BibTeX BibTeX XeTeX XeTeX XeLaTeX XeLaTeX LuaTeX LuaTeX pdfTeX pdfTeX pdfLaTeX pdfLaTeX AmS AMS AmSLaTeX AMSLaTeX
CTeX CTeX MATLAB MATLAB textsection § textparagraph ¶ checkmark ✓ textasciigrave ` textquotedbl " slash / textnumero № lbrack [
rbrack ] lbrace { rbrace } textcent ¢ textyen ¥ guilsinglleft ‹ guilsinglright › quotedblbase „ quotesinglbase ‚ textrightarrow →
textleftarrow ← textuparrow ↑ textdownarrow ↓ textsuperscripttwo ² textordfeminine ª textordmasculine º textexclamdown ¡
textquestiondown ¿ textasteriskcentered * textpertenthousand ‱ textperthousand ‰ textvisiblespace ␣ textsurd √ textlangle ⟨
textrangle ⟩ dq " glqq „ grqq “ glq ‚ grq ‘ flqq « frqq » BibLaTeX BibLaTeX textalpha α textbeta β textgamma γ textdelta δ
textpi π textsigma σ textOmega Ω textlambda λ ConTeXt ConTeXt MiKTeX MiKTeX TeXLive TeXLive
backslash \ textlbrackdbl ⟦ textrbrackdbl ⟧ textcircledP ℗ textmusicalnote ♪ textopenbullet ◦ textdiv ÷ textcurrency ¤
""")
_SPACES = """
space nobreakspace enspace thinspace medspace thickspace negthinspace enskip quad qquad hfill hfil hss dotfill hrulefill , ; : >
"""
SYMBOLS |= dict.fromkeys([" ", *words(_SPACES)], " ")
SYMBOLS.update(dict.fromkeys(["!", "/", "-", "@", "relax", "protect", "noindent", "centering", "null", "empty", "strut"], ""))
# Journals as astronomers' classes name them.
SYMBOLS |= lines("""
aj|AJ || apj|ApJ || apjl|ApJL || apjlett|ApJL || apjs|ApJS || apjsupp|ApJS || mnras|MNRAS || aap|A&A || aaps|A&AS || aapr|A&A Rev.
pasp|PASP || pasj|PASJ || araa|ARA&A || nat|Nature || prd|Phys. Rev. D || prl|Phys. Rev. Lett. || prb|Phys. Rev. B || pra|Phys. Rev. A
prc|Phys. Rev. C || pre|Phys. Rev. E || physrep|Phys. Rep. || jcap|JCAP || solphys|Sol. Phys. || procspie|Proc. SPIE || icarus|Icarus
ssr|Space Sci. Rev. || jgr|J. Geophys. Res. || planss|Planet. Space Sci. || grl|Geophys. Res. Lett. || na|New A || nar|New A Rev.
apss|Ap&SS || baas|BAAS || ao|Appl. Opt.
""")

ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307", "u": "\u0306",
    "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "r": "\u030a", "b": "\u0331", "d": "\u0323",
}  # fmt: skip
DOTLESS = {"i": "i", "j": "j", "ae": "æ", "AE": "Æ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å"}

SUPERSCRIPTS = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")
SUBSCRIPTS = str.maketrans("0123456789+-−()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎")

# Formulas that are one sign in the line and nothing else.
SIGNS = pairs(r"""
\pm ± \times × \sim ∼ \approx ≈ \rightarrow → \to → \leftarrow ← \Rightarrow ⇒ \leftrightarrow ↔ \bullet • \cdot · \backslash \
^\circ ° ^{\circ} ° ^\prime ′ ^{\prime} ′ < < > > \leq ≤ \geq ≥ \le ≤ \ge ≥ = = + + - − | | / / \dagger † \ddagger ‡ \ast * ^* * ^{*} *
\star ⋆ \checkmark ✓ \ldots … \dots … \cdots ⋯ \copyright © \triangleright ▷ \{ { \} } \% % \_ _ ^\dagger † ^{\dagger} † ^\ast * ^{\ast} *
\infty ∞ \AA Å \mathrm{\AA} Å \Omega Ω ^\text{th} th ^{\text{th}} th ^{th} th ^{st} st ^{nd} nd ^{rd} rd ^{\mathrm{th}} th
""")

GREEK = pairs("""
alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ sigma σ
tau τ upsilon υ phi φ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω
""")


def raised(text: str, table: dict[int, int], sign: str) -> str:
    """Text set high or low: with Unicode's digits where all of it has some, else behind `sign` where it is a number."""
    moved = text.translate(table)
    if text and all(a != b for a, b in zip(text, moved, strict=True)):
        return moved
    return sign + text if text and all(letter in "+-−.0123456789" for letter in text) else text


def typed(text: str) -> str:
    """The signs that TeX's fonts make of what is typed: dashes, quotation marks."""
    if "-" in text and "--" in text:
        text = text.replace("---", "—").replace("--", "–")
    if "`" in text:
        text = text.replace("``", "“").replace("?`", "¿").replace("!`", "¡").replace("`", "'")
    return text.replace("''", "”") if "''" in text else text
