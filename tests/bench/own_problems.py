"""Problems that behave badly, for the worker processes of the tests (``own_problems.py:function``)."""

import ctypes
import os
import time

import numpy as np

from karush.bench.warmup import tiny_problem
from karush.problems.nlp import NLP


def _after_first_call(action) -> NLP:
    """A small constrained problem whose objective runs `action` from its second call on."""
    problem = tiny_problem(True)
    original, calls = problem.objective, [0]

    def objective(x):
        calls[0] += 1
        if calls[0] > 1:
            action()
        return original(x)

    problem.objective = objective
    return problem


def good(k: int = 0) -> NLP:
    return tiny_problem(True)


def unconstrained() -> NLP:
    return tiny_problem(False)


def slow(k: int = 0, seconds: float = 0.05) -> NLP:
    return _after_first_call(lambda: time.sleep(seconds))


def hanging() -> NLP:
    return _after_first_call(lambda: time.sleep(1000))


def crashing() -> NLP:
    return _after_first_call(lambda: ctypes.string_at(0))


def exiting() -> NLP:
    return _after_first_call(lambda: os._exit(7))


def hungry() -> NLP:
    kept = []

    def eat():
        kept.append(np.ones(60_000_000))
        time.sleep(1000)

    return _after_first_call(eat)


def gluttonous() -> NLP:
    """Takes 200 MB at each call and gives them back."""
    return _after_first_call(lambda: np.ones(25_000_000).sum())


def raising() -> NLP:
    def fail():
        raise ArithmeticError("no value here")

    return _after_first_call(fail)


def unbuildable() -> NLP:
    raise RuntimeError("no such model")


def not_a_problem() -> int:
    return 3
