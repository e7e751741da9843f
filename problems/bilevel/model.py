"""Bilevel problems written as mathematics: two models of term families over the same variables."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..model import Model, Shape, Variables
from .problem import BilevelProblem
from .sets import ConvexSet


class Level(Model):
    """One level of a `BilevelModel`: a `Model` whose variables are known to the other level too."""

    def __init__(self, owner: BilevelModel, role: str) -> None:
        super().__init__(f"{owner.name} ({role})")
        self._owner = owner

    def variables(
        self,
        shape: Shape = (),
        *,
        start: ArrayLike = 0.0,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> Variables:
        """Add a block of variables that this level decides, as `Model.variables` does.

        Raises
        ------
        ValueError
            Bad bounds; variables of the upper level after some of the lower one.
        """
        self._owner._check_order(self)
        made = super().variables(shape, start=start, lower=lower, upper=upper)
        self._owner._note(self, made, start)
        return made


class BilevelModel:
    """A bilevel problem under construction, in the manner of `Model`.

    Both levels are models over all variables: objective and constraints of either may take those of both.
    Problems of thousands of variables are no trouble where terms take a few of them each.

    Parameters
    ----------
    name : str
        The problem's name.

    Attributes
    ----------
    upper, lower : Model
        The levels. ``upper.variables(...)`` declares x, with its bounds, and has to come first;
        ``lower.variables(...)`` declares y. For the rest see `Model`: `minimize`, `subject_to` and so on.

    Examples
    --------
    >>> model = BilevelModel("follow")
    >>> x = model.upper.variables(1000, start=3.0)
    >>> y = model.lower.variables(1000)
    >>> model.upper.minimize(lambda a, b: (a - 1) ** 2 + (b + 1) ** 2, x, y)
    >>> model.lower.minimize(lambda a, b: (b - a) ** 2, x, y)
    >>> problem = model.build(lower_convex=True)
    >>> problem.n_x, problem.n_y
    (1000, 1000)
    """

    def __init__(self, name: str = "bilevel model") -> None:
        self.name = name
        self.upper, self.lower = Level(self, "upper level"), Level(self, "lower level")
        self._n_x = self._n_y = 0

    def _check_order(self, level: Level) -> None:
        if level is self.upper and self._n_y:
            raise ValueError(
                f"model {self.name!r}: declare all variables of the upper level before the lower's"
            )

    def _note(self, level: Level, made: Variables, start: ArrayLike) -> None:
        """Variables of one level, without their bounds at the other."""
        if level is self.upper:
            self._n_x += made.size
            Model.variables(self.lower, made.shape, start=start)
        else:
            self._n_y += made.size
            Model.variables(self.upper, made.shape, start=start)

    def build(
        self,
        *,
        X: ConvexSet | None = None,
        Y: ConvexSet | None = None,
        optimum: float | None = None,
        lower_convex: bool | None = None,
        source: str = "",
    ) -> BilevelProblem:
        """The problem, both levels on compiled kernels; the parameters are those of `BilevelProblem`.

        Raises
        ------
        ValueError
            Where a level has no variables.
        """
        for role, count in (("upper", self._n_x), ("lower", self._n_y)):
            if count == 0:
                raise ValueError(f"model {self.name!r} has no variables of the {role} level")
        return BilevelProblem(
            self.upper.build(),
            self.lower.build(),
            self._n_x,
            X=X,
            Y=Y,
            name=self.name,
            optimum=optimum,
            lower_convex=lower_convex,
            source=source,
        )
