"""Code of other libraries taken in: a PyTorch module or a JAX function becomes an expression."""
