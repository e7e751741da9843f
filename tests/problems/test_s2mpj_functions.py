"""Translation of S2MPJ's functions: what a translated function computes is what Python computes."""

import textwrap

import numpy as np
import pytest

from karush.problems.families import Family
from karush.problems.row_function import RowFunction
from karush.problems.s2mpj_functions import (
    UntranslatableError,
    parse_functions,
    translate_element,
    translate_group,
)


class Owner:
    """What ``self`` is to an S2MPJ function."""

    efpar = (0.25, 3.0)
    gfpar = (1.5,)
    elpar = ((2.0, -1.0),)
    grpar = ((0.5,),)


ELEMENT = """
    @staticmethod
    def eX(self, nargout, *args):
        import numpy as np
        EV_  = args[0]
        iel_ = args[1]
        {body}
        if nargout>1:
            try:
                dim = len(IV_)
            except:
                dim = len(EV_)
            g_ = np.zeros(dim)
            g_[0] = {g0}
            if nargout>2:
                H_ = np.zeros(({n},{n}))
                {h}
        if nargout == 1:
            return f_
        elif nargout == 2:
            return f_,g_
        elif nargout == 3:
            return f_,g_,H_
"""


def element(body, g0="0.0", h="H_[0,0] = 0.0", n=2):
    indented = textwrap.indent(textwrap.dedent(body).strip(), " " * 8).strip()
    return ELEMENT.format(body=indented, g0=g0, h=h, n=n)


def parse(tmp_path, source):
    path = tmp_path / "X.py"
    path.write_text(f"class X:\n    pass\n{source}", encoding="utf-8")
    return parse_functions(path)["eX"]


def called(source, x, order):
    """The function run by Python itself."""
    scope = {"to_scalar": lambda v: float(np.ravel(v)[0])}
    exec(textwrap.dedent(source), scope)
    return scope["eX"](Owner(), order + 1, x.reshape(-1, 1), 0)


def compiled(given, x):
    """Value, gradient and Hessian by the compiled pattern."""
    variables = np.arange(x.size, dtype=np.int32)[:, None]
    parameters = tuple(np.array([p]) for p in Owner.elpar[0][: given.parameters])
    rows = RowFunction(x.size, 1, [Family(given.pattern(), variables, np.zeros(1, np.int32), parameters)])
    gradient = np.empty(x.size)
    value = rows.total_and_gradient(x, gradient)
    places = [np.array([k]) for k in range(len(given.pattern().hessian_pairs))]
    rows.place_hessian(places)
    entries = np.zeros(max(len(places), 1))
    rows.add_hessian(x, np.ones(1), entries)
    hessian = np.zeros((x.size, x.size))
    for (a, b), entry in zip(given.pattern().hessian_pairs, entries, strict=False):
        hessian[a, b] = hessian[b, a] = entry
    return value, gradient, hessian


BODIES = {
    "arithmetic": "f_ = 2*EV_[0,0]**3/(1+EV_[1,0]**2) - 7/2 + self.elpar[iel_][1]*EV_[0,0]",
    "functions": "f_ = np.exp(-np.absolute(EV_[0,0]))*np.arctan2(EV_[1,0],EV_[0,0])+np.log10(2+EV_[1,0])",
    "branch": """
        P = EV_[0,0]>0.0
        if P!=0:
            F = EV_[0,0]**2
        if P==0:
            F = -EV_[1,0]
        f_ = F
    """,
    "else": """
        if EV_[0,0]+EV_[1,0] >= self.efpar[0]:
            f_ = 1.0
        else:
            f_ = EV_[1,0]
    """,
    "logic": """
        A = EV_[0,0]>-1.0 and EV_[1,0]<1.0
        B = not(A or EV_[0,0]==0.0)
        F = 1.0
        if B!=0:
            F = 3.0
        f_ = F*EV_[0,0]
    """,
    "branch on a parameter": """
        if self.efpar[1]>2.0:
            f_ = EV_[0,0]
        else:
            f_ = undefined
    """,
    "extremes": "f_ = min(EV_[0,0],0.5)+max(EV_[0,0],EV_[1,0],)*2",
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("x", [(0.3, -0.7), (-1.2, 2.0), (2.0, 0.1)])
def test_values(tmp_path, body, x):
    given = translate_element(parse(tmp_path, element(body)), 2, {"efpar": Owner.efpar})
    x = np.array(x)
    assert compiled(given, x)[0] == pytest.approx(float(np.ravel(called(element(body), x, 0))[0]), rel=1e-14)


def test_internal_variables_and_given_derivatives(tmp_path):
    body = """
        U_ = np.zeros((1,3))
        IV_ = np.zeros(1)
        U_[0,0] = U_[0,0]+1
        U_[0,2] = U_[0,2]-2.5
        IV_[0] = to_scalar(U_[0:1,:].dot(EV_))
        f_ = IV_[0]*IV_[0]*IV_[0]
    """
    # the given gradient is not the derivative, on purpose: what the file says counts
    source = element(body, g0="5.0*IV_[0]", h="H_[0,0] = 7.0*IV_[0]", n=1)
    source = source.replace(
        "            if nargout>2", "            g_ =  U_.T.dot(g_)\n            if nargout>2"
    )
    source = source.replace("7.0*IV_[0]\n", "7.0*IV_[0]\n                H_ = U_.T.dot(H_).dot(U_)\n")
    given, x = translate_element(parse(tmp_path, source), 3, {}), np.array([1.0, 2.0, 0.3])
    value, gradient, hessian = called(source, x, 2)
    mine = compiled(given, x)
    assert mine[0] == pytest.approx(value)
    np.testing.assert_allclose(mine[1], gradient, rtol=1e-15)
    np.testing.assert_allclose(mine[2], hessian, rtol=1e-15)
    assert mine[1][0] == 5.0 * (1.0 - 0.75)
    assert given.parameters == 0


def test_group_function(tmp_path):
    source = """
    @staticmethod
    def eX(self,nargout,*args):
        GVAR_ = args[0]
        igr_  = args[1]
        f_= self.gfpar[0]*GVAR_**2+self.grpar[igr_][0]
        if nargout>1:
            g_ = 2.0*self.gfpar[0]*GVAR_
            if nargout>2:
                H_ = np.zeros((1,1))
                H_ = 2.0*self.gfpar[0]
        return f_,g_,H_
"""
    given = translate_group(parse(tmp_path, source), {"gfpar": Owner.gfpar})
    assert given.parameters == 1
    assert given.graph.value(given.hessian[0, 0]) == 3.0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("for i in range(3):\n    f_ = EV_[0,0]", "For"),
        ("f_ = self.extfunc(EV_[0,0])", "extfunc"),
        ("f_ = EV_[5,0]", "IndexError"),
        ("f_ = int(EV_[0,0])", "int"),
        ("if EV_[0,0] > 0:\n    return EV_[0,0]\nf_ = 0.0", "return"),
    ],
)
def test_what_is_not_regular_is_refused(tmp_path, body, message):
    with pytest.raises(UntranslatableError, match=message):
        translate_element(parse(tmp_path, element(body)), 2, {})


def test_derivatives_of_another_size_are_refused(tmp_path):
    with pytest.raises(UntranslatableError, match="for 3 variables"):
        translate_element(parse(tmp_path, element("f_ = EV_[0,0]")), 3, {})
