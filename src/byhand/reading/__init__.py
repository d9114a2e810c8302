"""Formulas as people and byhand itself write them, read back: tokens, one grammar, and values.

`unicode.py` and `latex.py` make tokens of the two spellings, `grammar.py` makes trees of tokens, `values.py` gives a tree its
value, given what the names stand for. A tree keeps open what only types can decide: whether `f (x)` is a call or a product,
whether `^T` transposes.
"""
