"""Expressions: an immutable graph of nodes with shapes, its NumPy-like surface, and the ways in."""
