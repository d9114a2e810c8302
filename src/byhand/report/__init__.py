"""Standalone HTML pages: a derivation, its check, its code, and what was trained with it."""
