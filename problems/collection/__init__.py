"""The native collection, in files by family."""
