"""Randomised linear algebra (arrives with its own issue; the layer is reserved here)."""
