"""Pairs that a lab has already: files in any common layout, datasets of the hub, and Python callables such as simulators."""
