"""Numerical evidence: the steps and gradients of a derivation against complex steps, generated code, JAX and PyTorch."""
