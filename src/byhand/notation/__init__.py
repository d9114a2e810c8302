"""Printed forms of expressions and derivations: Unicode text, LaTeX, MathML."""
