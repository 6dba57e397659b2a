"""A tolerant reading of LaTeX: tokens, macros, and an interpreter that writes paragraphs instead of pages."""
