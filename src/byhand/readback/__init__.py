"""Printed formulas read back: tokens, a grammar, trees, and their values by what the signs mean."""
