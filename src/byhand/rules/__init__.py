"""The tables of rules and what applies them: differentials, identities, the normal form, names of contractions."""
