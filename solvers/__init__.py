"""How problems are solved: methods, certificates and results."""
