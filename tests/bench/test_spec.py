import json

import numpy as np
import pytest

from karush.bench.spec import (
    Spec,
    did_you_mean,
    parse_settings,
    parse_spec,
    parse_value,
    split_specs,
    to_json,
)


def test_specification_is_read_back_from_its_text():
    for text in (
        "HS71",
        "LUKVLE1[n=1000]",
        "s2mpj:BT1",
        "sif:CATENA[N+1=11]",
        "exact-al[max_iterations=50,tol=1e-06]",
    ):
        assert str(parse_spec(text)) == text


def test_order_of_settings_does_not_matter():
    assert parse_spec("A[n=1,m=2]") == parse_spec("A[m=2,n=1]")
    assert parse_spec("A[n=1,m=2]").canonical == parse_spec("A[m=2, n=1]").canonical


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("1e-3", 1e-3), ("true", True), ("None", None), ("exact", "exact"), ("-2", -2)],
)
def test_values_get_the_type_they_look_like(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["", "[n=1]", "A[n=1", "A]n=1", "A[n]", "A[=1]", "A[n=]", "A[n=1,n=2]", "A[a b=1]"]
)
def test_malformed_specifications_are_refused(text):
    with pytest.raises(ValueError, match=r"form|twice"):
        parse_spec(text)


def test_lists_are_split_outside_brackets_only():
    assert split_specs("HS71, A[n=1,m=2],,B") == ["HS71", "A[n=1,m=2]", "B"]


def test_settings_say_what_they_are_called():
    with pytest.raises(ValueError, match="size 'n' is not of the form"):
        parse_settings(["n"], "size")


def test_suggestion_ignores_case():
    assert did_you_mean("slsqq", ["SLSQP", "ipopt"]) == " Did you mean 'SLSQP'?"
    assert did_you_mean("xyzzy", ["SLSQP", "ipopt"]) == ""


def test_json_is_strict_and_takes_numpy():
    text = to_json({"a": np.array([1.0, np.nan]), "b": np.int64(3), "c": float("inf"), "d": (True, None)})
    assert json.loads(text) == {"a": [1.0, None], "b": 3, "c": None, "d": [True, None]}


def test_spec_keeps_its_settings_as_keywords():
    assert Spec.of("A", {"n": 3}).keywords == {"n": 3}
