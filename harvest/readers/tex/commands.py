r"""All that the reader knows of LaTeX: one table of commands, one of environments, one of conditions."""

from __future__ import annotations

from harvest.readers.tex import (
    acronyms,
    bibliography,
    citing,
    code,
    colours,
    conditions,
    control,
    definitions,
    environments,
    lists,
    quantities,
    structure,
    tables,
    theorems,
    words,
)
from harvest.readers.tex.interpreter import commands_of
from harvest.readers.tex.state import Language

_MODULES = (
    *(acronyms, bibliography, citing, code, colours, control, definitions, environments),
    *(lists, quantities, structure, tables, theorems, words),
)
LATEX_LANGUAGE = Language(commands_of(*(module.COMMANDS for module in _MODULES)), environments.ENVIRONMENTS, conditions.TESTS)
