"""Words that LaTeX itself prints: the names of figures, tables, sections in the language of the document."""

from __future__ import annotations

import re

from harvest.readers.tex.wordlists import pairs

_WORDS = "abstract figure table algorithm section chapter appendix proof keywords references footnote listing part"
_TABLE = {
    "english": "Abstract Figure Table Algorithm Section Chapter Appendix Proof Keywords References Footnote Listing Part",
    "german": "Zusammenfassung Abbildung Tabelle Algorithmus Abschnitt Kapitel Anhang Beweis Schlagwörter Literatur Fußnote Listing Teil",
    "french": "Résumé Figure Tableau Algorithme Section Chapitre Annexe Démonstration Mots-clés Références Note Listing Partie",
    "spanish": "Resumen Figura Tabla Algoritmo Sección Capítulo Apéndice Demostración Palabras-clave Referencias Nota Listado Parte",
    "italian": "Sommario Figura Tabella Algoritmo Sezione Capitolo Appendice Dimostrazione Parole-chiave Bibliografia Nota Listato Parte",
    "portuguese": "Resumo Figura Tabela Algoritmo Seção Capítulo Apêndice Demonstração Palavras-chave Referências Nota Listagem Parte",
    "russian": "Аннотация Рис. Таблица Алгоритм Раздел Глава Приложение Доказательство Ключевые-слова Литература Примечание Листинг Часть",
    "chinese": "摘要 图 表 算法 节 章 附录 证明 关键词 参考文献 脚注 代码 部分",
}
NAMES = {language: dict(zip(_WORDS.split(), words.split(), strict=True)) for language, words in _TABLE.items()}
_OPTIONS = pairs("""
german german ngerman german austrian german naustrian german french french francais french frenchb french spanish spanish italian italian
portuguese portuguese brazil portuguese brazilian portuguese russian russian english english british english american english
UKenglish english USenglish english
""")
_CHINESE = re.compile(r"\{(?:ctex\w*|xeCJK|CJKutf8|CJK)\}|\\begin\{CJK\*?\}|\\documentclass(?:\[[^\]]*\])?\{ctex\w+\}")
_BABEL = re.compile(r"\\usepackage\s*\[([^\]]*)\]\s*\{babel\}|\\(?:setdefaultlanguage|setmainlanguage)\s*(?:\[[^\]]*\])?\{(\w+)\}")
_CLASS = re.compile(r"\\documentclass\s*\[([^\]]*)\]")


def language_of(preamble: str, body: str = "") -> str:
    """The language whose names LaTeX would print, by the packages of a preamble (babel: the last option is the main one)."""
    code = re.sub(r"(?<!\\)%.*", "", preamble)
    if _CHINESE.search(code) or ("ctex" in code and re.search(r"[\u4e00-\u9fff]", body)):
        return "chinese"
    if match := _BABEL.search(code):
        named = [word.strip() for word in (match[1] or match[2] or "").split(",")]
        main = [word.partition("=")[2].strip() for word in named if word.startswith("main")]
        for word in [*main, *reversed(named)]:
            if word in _OPTIONS:
                return _OPTIONS[word]
    if "{babel}" in code and (match := _CLASS.search(code)):
        for word in match[1].split(","):
            if word.strip() in _OPTIONS:
                return _OPTIONS[word.strip()]
    return "english"
