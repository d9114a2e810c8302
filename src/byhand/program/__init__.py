"""The array program: one closed union of operations, lowered from expressions, that engines, exports and targets read."""
