"""The Python examples of the README and of docs/ run as they stand, each file from top to bottom.

A comment ``<!-- needs: cvxpy, casadi -->`` before an example names the optional packages without which it is
left out.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[tuple[list[str], str]]:
    """Packages that an example needs, and its code."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"(?:<!-- needs: ([\w, ]+) -->\n)?```python\n(.*?)```", text, re.DOTALL)
    return [([name.strip() for name in needs.split(",") if name.strip()], code) for needs, code in found]


def test_readme_has_an_example_for_each_way_of_use():
    assert len(blocks(ROOT / "README.md")) == 3


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_examples_run_and_converge(page):
    scope = {"__name__": "example"}
    missing = set()
    for number, (needs, block) in enumerate(blocks(page)):
        absent = [name for name in needs if find_spec(name) is None]
        if absent:
            missing.update(absent)
            continue
        scope.pop("result", None)
        exec(compile(block, f"{page.name}, example {number}", "exec"), scope)
        if "result" in scope:
            assert scope["result"].success, f"{page.name}, example {number}"
    if missing:
        pytest.skip(f"the other examples ran; not installed: {', '.join(sorted(missing))}")
