"""Does an installed karush work? Run outside the repository, in an environment that holds the wheel alone."""

import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

import karush
from karush.bench.report import write_report
from karush.bench.spec import Spec
from karush.bench.suites import resolve
from karush.bench.sweep import sweep

where = Path(karush.__file__).resolve()
assert "site-packages" in where.parts, f"karush comes from {where}, not from the wheel"
heavy = {"numba", "sympy", "matplotlib", "cvxpy"} & set(sys.modules)
assert not heavy, f"importing karush and its sweep loads {heavy}"

names = [
    module.name
    for module in pkgutil.walk_packages(karush.__path__, "karush.")
    if "__main__" not in module.name
]
wanting = []
for name in names:
    try:
        importlib.import_module(name)
    except ImportError as error:  # what needs an extra says which one
        if "pip install karush[" not in str(error):
            raise
        wanting.append(name)
assert set(wanting) <= {name for name in names if "estimators" in name}, wanting

result = karush.minimize("LUKVLE1")
assert result.success, result.message

with tempfile.TemporaryDirectory() as folder:
    sweep(resolve("HS71,BT1"), [Spec("exact-al"), Spec("SLSQP")], folder)
    report = write_report(folder)
    assert report.page.stat().st_size > 10_000
    assert report.scores[0].certified == 2, report.scores

print(f"{len(names)} modules of karush {karush.__version__} imported; LUKVLE1 solved; a sweep swept")
