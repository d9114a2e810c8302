"""The explorer: one pure function that answers requests with plain data, and a derivation that folds in notebooks."""
