"""The published results of AdaSketch-Newton on 47 equality-constrained CUTEst problems with n <= 100.

From the results stored with the authors' code (github.com/IlgeeHong/AdaSketch-Newton, commit d7e0c22), which
accompanies I. Hong, S. Na, M. W. Mahoney & M. Kolar, ICML 2023 (arXiv:2305.18379). Stopping rule
||(grad_x L, c)||_2 <= 1e-4; seconds are of the authors' machine.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """One problem.

    ``gv`` and ``rk`` are the iterations of the runs that go with the public code, None where its guard
    against singular Jacobians ended them; ``gv_median`` and ``rk_median`` are medians over the ten runs of a
    second stored set, for which no guard is stated.
    """

    name: str
    n: int
    m: int
    gv: int | None
    rk: int | None
    gv_median: float
    rk_median: float
    gv_seconds: float | None
    rk_seconds: float | None


PUBLISHED = [
    Published(*row)
    for row in (
        ("HS6", 2, 1, 9, 9, 9, 9, 0.325, 0.27),
        ("BT5", 3, 2, 5, 5, 5, 5, 0.022, 0.0349),
        ("BT9", 4, 2, 12, 10, 11.5, 11, 0.587, 0.552),
        ("HS28", 3, 1, 1, 1, 1, 1, 0.00854, 0.0151),
        ("BT10", 2, 2, 7, 7, 7, 7, 0.0482, 0.202),
        ("HIMMELBA", 2, 2, 1, 1, 1, 1, 0.00112, 0.00072),
        ("BT12", 5, 3, 5, 9, 5, 9, 0.558, 0.923),
        ("HS40", 4, 3, 3, 3, 3, 3, 0.0069, 0.0114),
        ("BT3", 5, 3, 1, 1, 1, 1, 0.0774, 0.0334),
        ("BT6", 5, 2, 9, 8, 9, 8, 0.414, 0.398),
        ("BT11", 5, 3, 7, 7, 7, 7, 0.46, 0.281),
        ("HS7", 2, 1, 10, 10, 10, 10, 0.113, 0.202),
        ("GENHS28", 10, 8, 1, 1, 1, 1, 0.0465, 0.082),
        ("HS51", 5, 3, 1, 1, 1, 1, 0.0717, 0.0308),
        ("SINVALNE", 2, 2, 16, 16, 16, 16, 0.0839, 0.00669),
        ("BOOTH", 2, 2, 1, 1, 1, 1, 0.000549, 0.00269),
        ("HS52", 5, 3, 2, 1, 2, 1, 0.45, 0.101),
        ("HS47", 5, 3, 14, 15, 14.5, 15, 0.886, 1.27),
        ("WAYSEA1NE", 2, 2, 7, 7, 7, 7, 0.173, 0.00334),
        ("HS48", 5, 2, 1, 1, 1, 1, 0.00169, 0.00497),
        ("HS50", 5, 3, 8, 8, 8, 8, 0.374, 0.438),
        ("RSNBRNE", 2, 2, 11, 11, 11, 11, 0.117, 0.011),
        ("CUBENE", 2, 2, 4, 4, 4, 4, 0.155, 0.0142),
        ("HS77", 5, 2, 8, 8, 8, 8, 0.382, 0.121),
        ("MWRIGHT", 5, 3, 6, 7, 6, 7, 0.709, 0.763),
        ("ZANGWIL3", 3, 3, 1, 1, 1, 1, 0.00164, 0.00135),
        ("TRIGON1NE", 10, 10, 4, 4, 4, 4, 0.168, 0.00732),
        ("BA-L1SP", 57, 12, 4, 4, 4, 4, 6.13, 3.3),
        ("HS78", 5, 3, 4, 4, 4, 4, 0.0557, 0.0225),
        ("HS56", 7, 4, 5, 5, 5, 5, 0.0586, 0.0387),
        ("HELIXNE", 3, 3, 8, 8, 8, 8, 0.172, 0.0093),
        ("HS42", 4, 2, 4, 4, 4, 4, 0.0243, 0.00969),
        ("HS79", 5, 3, 4, 4, 4, 4, 0.0481, 0.0319),
        ("ORTHREGB", 27, 6, 42, 42, 42, 42, 6.0, 8.94),
        ("HS100LNP", 7, 2, 9, 8, 9, 8, 0.811, 0.465),
        ("GOTTFR", 2, 2, None, None, 5, 5, None, None),
        ("HIMMELBE", 3, 3, 2, 2, 2, 2, 0.00491, 0.00297),
        ("MOREBVNE", 10, 10, 2, 2, 2, 2, 0.328, 0.264),
        ("WAYSEA2NE", 2, 2, 10, 10, 10, 10, 0.16, 0.0551),
        ("DENSCHNCNE", 2, 2, 7, 7, 7, 7, 0.0143, 0.0238),
        ("DENSCHNFNE", 2, 2, 4, 4, 4, 4, 0.00156, 0.0024),
        ("HIMMELBC", 2, 2, 5, 5, 5, 5, 0.0023, 0.00249),
        ("PRICE4NE", 2, 2, None, None, 12.5, 14, None, None),
        ("INTEQNE", 12, 12, 2, 2, 2, 2, 0.0112, 0.00809),
        ("BA-L1", 57, 12, 4, 4, 4, 4, 2.38, 1.46),
        ("MANCINONE", 100, 100, 4, 4, 4, 4, 3.87, 0.819),
        ("BT2", 3, 1, 12, 11, 12, 10.5, 0.329, 0.313),
    )
]
