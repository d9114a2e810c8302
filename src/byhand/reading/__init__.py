"""Formulas as people and byhand itself write them, read back: tokens, one grammar, and values.

`unicode.py` and `latex.py` (its commands: `commands.py`, the page's own: `macros.py`) make tokens of the two spellings,
`grammar.py` on `atoms.py` makes trees of tokens. `meaning.py` gives a tree its value, given what the names stand for
(`scope.py`), over an algebra: numbers or expressions. A tree keeps open what only types can decide: whether `f (x)` is
a call or a product, whether `^T` transposes. `printed.py` reads byhand's own print to the letter: strict, with the
names of its page (`stands.py`).
"""
