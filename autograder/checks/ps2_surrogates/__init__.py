"""Questions of the problem set on surrogate gradients: S(x), P(x), a two-layer network, a sweep, sparse slopes."""
