"""Benchmarks with stated targets, one file each; `karush bench NAME` runs them."""
