"""What is solved: problem protocol, term families, registry, collections and front ends."""
