"""Derivations as people write them: documents become stretches of prose and mathematics, rows, statements, verdicts."""
