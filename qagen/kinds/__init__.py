"""Kinds of question: what each asks for, how its reply looks, what is checked of it alone."""
