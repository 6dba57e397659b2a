"""HTML to blocks: the tree, what of it can be seen, its formulas and tables, and the text in reading order."""
