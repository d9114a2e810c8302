"""A derivation by somebody, checked line by line: types, truth, invariants, dimensions, hypotheses, numerics."""
