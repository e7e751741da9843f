"""Solvers of the symmetric indefinite Karush-Kuhn-Tucker systems."""
