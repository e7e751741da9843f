"""karush: structured numerical optimisation with certified answers."""

from ._version import __version__

__all__ = ["__version__"]
