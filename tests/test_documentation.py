"""The Python examples of the README and of docs/ run as they stand, each file from top to bottom."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_readme_has_an_example_for_each_way_of_use():
    assert len(blocks(ROOT / "README.md")) == 3


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_examples_run_and_converge(page):
    scope = {"__name__": "example"}
    for number, block in enumerate(blocks(page)):
        exec(compile(block, f"{page.name}, example {number}", "exec"), scope)
        if "result" in scope:
            assert scope["result"].success, f"{page.name}, example {number}"
