"""Families of bilevel problems; importing a module registers its problems."""
