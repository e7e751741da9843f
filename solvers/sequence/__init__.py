"""Solvers for sequences of related linear systems."""
