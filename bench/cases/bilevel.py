"""Bilevel methods beside others: first-order ones at published settings, hypergradients by other software.

The two parts say what they count and how: `_bilevel_first_order` and `_bilevel_hypergradient`. Beside this
one: `bolib` (the collection by `auto`), `bilevel_known` (cases with known answers by every method) and
`bilevel_robustness` (settings other than the automatic ones).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..environment import environment
from . import _bilevel_first_order as first_order
from . import _bilevel_hypergradient as hypergradient

TITLE = "Bilevel methods: oracle calls and seconds to the optimum, beside published settings and peers"
COLUMNS = ["problem", "n_x", "n_y", "method", "calls_1e-3", "calls_1e-6", "s_1e-3", "s_1e-6", "ratio"]


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Run both parts; see the module's text."""
    parts = [(part, part.rows(quick, progress)) for part in (first_order, hypergradient)]
    return {
        "environment": environment(),
        "rows": [row for _, rows in parts for row in rows],
        "targets": [target for part, rows in parts for target in part.targets(rows)],
    }
