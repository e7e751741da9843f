"""A + c_t I: a matrix and a shift that changes, as time steps, regularisation, continuation make them."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..linear_sequence import LinearSequence, LinearSystem, ShiftedMatrix, register_sequence
from ..nlp import Vector
from .grids import five_point_diffusion, five_point_laplacian
from .heat_equations import KHODAK

Schedule = Literal["stationary", "drifting", "switching"]
Coefficient = Literal["constant", "lognormal"]


@register_sequence("BETASHIFT", source=KHODAK)
def betashift(
    spread: Literal["wide", "narrow"] = "wide", side: int = 10, length: int = 5000, rng: Any = 0
) -> LinearSequence:
    """Five-point Laplacian plus c I, c = -.15 + .6 Beta(1/2, 3/2) (wide) or Beta(2, 6) (narrow)."""
    shapes = {"wide": (0.5, 1.5), "narrow": (2.0, 6.0)}
    if spread not in shapes:
        raise ValueError(f"spread must be 'wide' or 'narrow', not {spread!r}")
    generator = np.random.default_rng(rng)
    shifts = -0.15 + 0.6 * generator.beta(*shapes[spread], size=length)
    A, key = five_point_laplacian(side, side), int(generator.integers(2**63))

    def right_hand_side(t: int) -> Vector:
        stream = np.random.default_rng((key, t))
        while True:  # a normal vector, cut off at its mean length
            b: Vector = stream.standard_normal(side**2)
            if np.linalg.norm(b) <= side:
                return b

    return shifted(
        f"BETASHIFT-{spread.upper()}",
        A,
        shifts,
        right_hand_side,
        context_range=(-0.15, 0.65),
        grid=(side, side),
        source=KHODAK,
    )


@register_sequence("DIFFUSION", source="five-point finite volumes")
def diffusion(
    side: int = 128,
    coefficient: Coefficient = "constant",
    schedule: Schedule = "stationary",
    length: int = 200,
    low: float = 1e-4,
    high: float = 1.0,
    rng: Any = 0,
) -> LinearSequence:
    """h^2 (-div(k grad)) + c_t I on a square, k constant or lognormal (sigma = 1), c_t in [low, high]."""
    if coefficient not in get_args(Coefficient):
        raise ValueError(f"coefficient must be one of {get_args(Coefficient)}, not {coefficient!r}")
    generator = np.random.default_rng(rng)
    if coefficient == "constant":
        A = five_point_laplacian(side, side)
    else:
        A = five_point_diffusion(
            generator.lognormal(size=(side + 1, side)), generator.lognormal(size=(side, side + 1))
        )
    return shifted_by_schedule(
        f"DIFFUSION-{coefficient.upper()}",
        A,
        schedule,
        length,
        (low, high),
        generator,
        grid=(side, side),
        source="five-point finite volumes",
    )


def shifted_by_schedule(
    name: str,
    A: Any,
    schedule: Schedule,
    length: int,
    interval: tuple[float, float],
    rng: np.random.Generator,
    **about: Any,
) -> LinearSequence:
    """A + c_t I with c_t by a schedule and normal right-hand sides, which drift where the shifts do."""
    shifts = shift_schedule(schedule, length, *interval, rng)
    n, key = A.shape[0], int(rng.integers(2**63))

    def right_hand_side(t: int) -> Vector:
        if schedule != "drifting":
            return np.asarray(np.random.default_rng((key, t)).standard_normal(n))
        block, within = divmod(t, 20)
        ends = [np.random.default_rng((key, k)).standard_normal(n) for k in (block, block + 1)]
        angle = 0.5 * np.pi * within / 20
        return np.asarray(np.cos(angle) * ends[0] + np.sin(angle) * ends[1])

    return shifted(
        f"{name}-{schedule.upper()}",
        A,
        shifts,
        right_hand_side,
        context_range=interval,
        context_scale="log",
        **about,
    )


def shifted(
    name: str, A: Any, shifts: NDArray[np.float64], right_hand_side: Any, **about: Any
) -> LinearSequence:
    """The sequence of A + c_t I, with c_t as context and right-hand sides that are functions of t."""
    matrix = ShiftedMatrix(A)

    def system(t: int, previous: Vector) -> LinearSystem:
        c = float(shifts[t])
        return LinearSystem(matrix.plus(c), right_hand_side(t), c)

    n = A.shape[0]
    return LinearSequence(name=name, n=n, length=len(shifts), system=system, start=np.zeros(n), **about)


def shift_schedule(
    schedule: Schedule, length: int, low: float, high: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Shifts in [low, high] whose logarithms are independent, walk, or jump about eight times in all."""
    if not 0.0 < low < high:
        raise ValueError(f"the shifts' interval must satisfy 0 < low < high, got [{low:g}, {high:g}]")
    if schedule == "stationary":
        unit = rng.random(length)
    elif schedule == "drifting":
        walk = np.cumsum(rng.normal(scale=0.05, size=length)) + rng.random()
        unit = np.abs((walk + 1.0) % 2.0 - 1.0)  # reflected at both ends
    elif schedule == "switching":
        levels = rng.random(length)
        jumps = rng.random(length) < 8 / length
        unit = levels[np.maximum.accumulate(np.where(jumps, np.arange(length), 0))]
    else:
        raise ValueError(f"schedule must be one of {get_args(Schedule)}, not {schedule!r}")
    return np.asarray(low * (high / low) ** unit)
