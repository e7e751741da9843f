"""AMPL's .nl files through CasADi, in Python and on the command line."""

import sys

import numpy as np
import pytest
from click.testing import CliRunner

import karush
from karush import problems
from karush.bench.suites import resolve
from karush.cli import main

pytest.importorskip("casadi", reason="needs karush[casadi]")

# HS71 as Pyomo writes it: the maximum of -f, and a third row -3 <= x1 + x2 <= 30 that is never active.
HS71 = """\
g3 1 1 0
 4 3 1 1 1
 2 1 0 0 0 0
 0 0
 4 4 4
 0 0 0 1
 0 0 0 0 0
 10 4
 0 0
 0 0 0 0 0
C0
o2
o2
o2
v0
v1
v2
v3
C1
o54
4
o5
v0
n2
o5
v1
n2
o5
v2
n2
o5
v3
n2
C2
n0
O0 1
o16
o2
o2
v0
v3
o54
3
v0
v1
v2
x4
0 1
1 5
2 5
3 1
r
2 25
4 40
0 -3 30
b
0 1 5
0 1 5
0 1 5
0 1 5
k3
3
6
8
J0 4
0 0
1 0
2 0
3 0
J1 4
0 0
1 0
2 0
3 0
J2 2
0 1
1 1
G0 4
0 0
1 0
2 -1
3 0
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "hs71.nl"
    path.write_text(HS71)
    return path


def test_a_maximisation_with_every_kind_of_row(file):
    problem, native = problems.from_nl(file), problems.get("HS71")
    assert problem.name == "hs71"
    np.testing.assert_array_equal(problem.cl, [25.0, 40.0, -3.0])
    np.testing.assert_array_equal(problem.cu, [np.inf, 40.0, 30.0])
    np.testing.assert_array_equal(problem.lb, np.ones(4))
    np.testing.assert_array_equal(problem.ub, np.full(4, 5.0))
    np.testing.assert_array_equal(problem.x0, [1.0, 5.0, 5.0, 1.0])
    x, y = np.array([1.1, 2.2, 3.3, 4.4]), np.array([0.7, -1.3, 0.0])
    assert problem.objective(x) == pytest.approx(native.objective(x), rel=1e-14)
    np.testing.assert_allclose(
        problem.constraints(x)[:2], native.constraints(x) + np.array([25, 40]), rtol=1e-14
    )
    np.testing.assert_allclose(
        problem.hessian(x, y).toarray(), native.hessian(x, y[:2]).toarray(), rtol=1e-13
    )
    assert problem.jacobian(x).nnz == 4 + 4 + 2


def test_minimize(file):
    result = karush.minimize(problems.from_nl(str(file), name="other"))
    assert result.success
    assert result.name == "other"
    assert result.fun == pytest.approx(17.0140173, abs=1e-6)


def test_command_line(file):
    outcome = CliRunner().invoke(main, ["solve", str(file), "--quiet"])
    assert outcome.exit_code == 0, outcome.output
    assert "17.0140" in outcome.output
    assert [spec.name for spec in resolve(str(file))] == [str(file.resolve())]
    missing = CliRunner().invoke(main, ["solve", str(file.with_name("none.nl"))])
    assert missing.exit_code == 1
    assert "there is no file" in missing.stderr
    with pytest.raises(ValueError, match="takes no sizes"):
        resolve(f"{file}[n=3]")


def test_what_is_refused(file, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        problems.from_nl(tmp_path / "none.nl")
    nonsense = tmp_path / "nonsense.nl"
    nonsense.write_text("no problem\n")
    with pytest.raises(ValueError, match=r"CasADi cannot read .*nonsense.nl"):
        problems.from_nl(nonsense)
    # The last of the variables that occur in objective and constraints is an integer.
    file.write_text(HS71.replace("\n 0 0 0 0 0\n 10 4", "\n 0 0 1 0 0\n 10 4"))
    with pytest.raises(ValueError, match=r"has 1 integer variables \(number 3\)"):
        problems.from_nl(file)
    monkeypatch.setitem(sys.modules, "casadi", None)
    with pytest.raises(ImportError, match=r"reading .nl files needs casadi: pip install 'karush\[casadi\]'"):
        problems.from_nl(file)
