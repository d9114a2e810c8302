"""Reverse accumulation over named intermediates, with every step recorded."""
