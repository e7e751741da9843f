"""Errors of a sweep that a user can do something about."""

from __future__ import annotations


class BenchError(Exception):
    """Something outside the solvers stands in the way; the message says what and what to do about it."""


class StoreError(BenchError):
    """The result store cannot be opened, read or written."""
