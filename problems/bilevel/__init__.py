"""Bilevel problems: an upper level over (x, y) whose y solves a lower level."""
