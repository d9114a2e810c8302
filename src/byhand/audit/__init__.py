"""A derivation written by somebody, checked line by line: types, truth, invariants, dimensions, hypotheses, numerics."""
