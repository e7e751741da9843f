"""Methods for constrained nonlinear problems."""
