"""``python -m karush.cli``, the same as ``karush``."""

from . import main

main()
