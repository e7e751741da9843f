"""Block coordinate descent for composite problems: certified, with working sets and Newton finishes."""
