"""Which method solves the next system: expected costs, amortised set-ups, and a budget for trying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_FADE = 0.9
_MEMORY = 10  # systems that this remembers
_PSEUDO_SOLVES = 2.0  # as expected, against conclusions from a single one


@dataclass(frozen=True)
class Outlook:
    """What is expected of a method on the next system. Costs are in any unit.

    Attributes
    ----------
    solve : float
        Expected cost of the solve; where the set-up is an old one and not due, with what its age costs.
    hopeful : float
        The same, about a standard deviation lower.
    setup : float
        Cost of a set-up, measured or guessed.
    due : bool
        Whether that would have to be paid now.
    rebuild_rate : float
        Expected set-ups a system, had it solved all of them lately.
    """

    solve: float
    hopeful: float
    setup: float = 0.0
    due: bool = False
    rebuild_rate: float = 0.0

    def likely(self, optimism: float) -> float:
        """So many standard deviations below what is expected."""
        return float(self.solve ** (1.0 - optimism) * self.hopeful**optimism)

    def cost(self, solve: float, horizon: int) -> float:
        """A solve with its share of the set-up, which serves 1/`rebuild_rate` systems or all to come."""
        if not self.due:
            return solve
        return solve + self.setup * max(min(self.rebuild_rate, 1.0), 1.0 / horizon)


@dataclass
class _Record:
    """What has been seen of a method."""

    solves: int = 0
    failures: int = 0
    banned: int = 0  # systems for which it is left out
    actual: float = 0.0  # costs, and what was expected of them; both fade
    predicted: float = 0.0

    @property
    def calibration(self) -> float:
        """Factor by which its costs exceed expectations: set-ups that turn out to serve few systems."""
        pseudo = _PSEUDO_SOLVES * self.predicted / max(min(self.solves, _MEMORY), 1)
        return (self.actual + pseudo) / (self.predicted + pseudo) if self.predicted > 0.0 else 1.0


@dataclass
class _Decision:
    """The last choice, and what the best known method would have cost."""

    foregone: float | None = None
    predicted: float | None = None  # of the method that was chosen, where it had been tried


class Portfolio:
    """Chooses among methods.

    The method of least cost solves the system; costs of one that was seen a few times only are taken half way
    to hopeful, so that it is given another chance. One that has not been tried competes with its hopeful
    cost, but only while what trying has cost in all, beyond the best known method, stays below `exploration`
    of the total cost that is expected: so a method of which even one set-up would be a large part of the
    whole sequence is not tried. One that failed is left out for a while, longer each time.

    Parameters
    ----------
    names : sequence of str
        The methods; the first is tried first.
    exploration : float
        The share; a run costs at most this much more for trying.
    """

    def __init__(self, names: Sequence[str], exploration: float = 0.03) -> None:
        if not names:
            raise ValueError("names must hold at least one method")
        if not 0.0 <= exploration <= 1.0:
            raise ValueError(f"exploration must lie in [0, 1], got {exploration}")
        self.names, self.exploration = tuple(names), float(exploration)
        self.spent = 0.0  # on trying
        self.elapsed = 0.0
        self.systems = 0
        self._records = {name: _Record() for name in self.names}
        self._decision = _Decision()

    def choose(self, outlooks: Mapping[str, Outlook], remaining: int | None) -> str:
        """The method for the next system.

        Parameters
        ----------
        outlooks : mapping
            Of all methods that may be chosen.
        remaining : int or None
            Systems to come, this one included; None, unknown, counts as many as there were.
        """
        horizon = max(remaining if remaining is not None else self.systems, 1)
        known = [name for name in self.names if name in outlooks]
        usable = [name for name in known if self._records[name].banned == 0] or known[:1]
        tried = [name for name in usable if self._records[name].solves > 0]
        if not tried:
            self._decision = _Decision()
            return usable[0]
        factor = {name: self._records[name].calibration for name in tried}
        expected = {name: outlooks[name].cost(outlooks[name].solve, horizon) for name in tried}
        hopes = {name: factor[name] * self._likely(name, outlooks[name], horizon) for name in tried}
        best = min(tried, key=hopes.__getitem__)
        cheapest = min(factor[name] * expected[name] for name in tried)
        other = self._worth_trying(set(usable) - set(tried), outlooks, cheapest, horizon)
        self._decision = _Decision(cheapest, expected[best] if other is None else None)
        return other or best

    def _likely(self, name: str, outlook: Outlook, horizon: int) -> float:
        """Half way to hopeful after the first solve, ever nearer to what is expected after more of them."""
        return outlook.cost(outlook.likely(1.0 / (1.0 + self._records[name].solves)), horizon)

    def _worth_trying(
        self, untried: set[str], outlooks: Mapping[str, Outlook], known: float, horizon: int
    ) -> str | None:
        """The most hopeful of the methods that may beat the known one and that the budget has room for."""
        mean = self.elapsed / max(self.systems, 1)  # this system may be a hard one
        room = self.exploration * (self.elapsed + horizon * mean) - self.spent
        hopes = {name: outlooks[name].cost(outlooks[name].hopeful, horizon) for name in untried}
        for name in sorted(hopes, key=lambda name: (hopes[name], name)):
            outlook = outlooks[name]
            price = outlook.setup * outlook.due + outlook.solve - known
            fear = outlook.cost(outlook.solve**2 / max(outlook.hopeful, 1e-300), horizon)
            if fear < known or (hopes[name] < known and price <= room):
                return name
        return None

    def update(self, name: str, cost: float) -> None:
        """A method, which may be a backstop from outside, has solved the system at this cost with set-up."""
        record = self._records.setdefault(name, _Record())
        if record.solves == 0 and self._decision.foregone is not None:
            self.spent += max(cost - self._decision.foregone, 0.0)
        record.solves += 1
        predicted = self._decision.predicted
        if predicted is not None and record.solves > 1:
            record.actual = _FADE * record.actual + cost
            record.predicted = _FADE * record.predicted + predicted
        self.elapsed += cost
        self.systems += 1
        for other in self._records.values():
            other.banned = max(other.banned - 1, 0)

    def failed(self, name: str, cost: float) -> None:
        """A method has not solved its system: it is left out for a while, twice as long each time."""
        record = self._records.setdefault(name, _Record())
        record.failures += 1
        record.banned = 2 ** min(record.failures + 2, 20)
        self.spent += cost
        self.elapsed += cost

    def solves(self) -> dict[str, int]:
        """How often each method has solved a system."""
        return {name: record.solves for name, record in self._records.items()}

    def state_dict(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {
            "names": list(self.names),
            "exploration": self.exploration,
            "spent": self.spent,
            "elapsed": self.elapsed,
            "systems": self.systems,
            "records": {name: vars(record).copy() for name, record in self._records.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Portfolio:
        """The portfolio that goes on where the saved one stood."""
        portfolio = cls(state["names"], state["exploration"])
        portfolio.spent, portfolio.elapsed = state["spent"], state["elapsed"]
        portfolio.systems = state["systems"]
        for name, record in state["records"].items():
            portfolio._records[name] = _Record(**record)
        return portfolio
