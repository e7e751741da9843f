"""How well problems are solved: sweeps, reports and benchmarks."""
