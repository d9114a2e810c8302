"""Beyond the gradient: Jacobians, Hessians, their products with vectors, and the structure that they have."""
