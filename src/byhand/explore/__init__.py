"""The explorer: one pure function that answers requests with plain data."""
