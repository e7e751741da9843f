import sqlite3

import pytest

from karush.bench.errors import StoreError
from karush.bench.jobs import Job, Limits
from karush.bench.outcomes import Outcome
from karush.bench.spec import Spec
from karush.bench.store import Store

LIMITS = Limits(time_limit=10.0)


def job(name="HS71", solver="SLSQP", version="1", **options):
    return Job(Spec(name), Spec.of(solver, options), version)


def record(outcome=Outcome.SOLVED, **values):
    return {
        "outcome": outcome,
        "message": "done",
        "objective": 1.5,
        "history": [[1, 0.0, 2.0, 0.0]],
        **values,
    }


def test_row_comes_back_as_it_was_put(tmp_path):
    with Store(tmp_path) as store:
        store.put(job(maxiter=3), LIMITS, record())
    with Store(tmp_path, create=False) as store:
        (row,) = store.rows()
    assert (row["problem"], row["solver"], row["options"]) == ("HS71", "SLSQP", {"maxiter": 3})
    assert row["outcome"] is Outcome.SOLVED
    assert row["history"] == [[1, 0.0, 2.0, 0.0]]


def test_same_job_replaces_its_row_and_others_do_not(tmp_path):
    with Store(tmp_path) as store:
        for version in ("1", "2"):
            store.put(job(version=version), LIMITS, record())
        store.put(job(), LIMITS, record(Outcome.UNSOLVED))
        store.put(job(maxiter=1), LIMITS, record())
        assert len(store.rows()) == 3


@pytest.mark.parametrize(
    ("outcome", "limits", "retry", "stands"),
    [
        (Outcome.SOLVED, LIMITS, False, True),
        (Outcome.SOLVED, Limits(time_limit=99.0), True, True),
        (Outcome.SOLVED, Limits(time_limit=10.0, tol=1e-9), False, False),
        (Outcome.TIME_LIMIT, LIMITS, False, True),
        (Outcome.TIME_LIMIT, Limits(time_limit=99.0), False, False),
        (Outcome.KILLED_TIME, Limits(time_limit=5.0), False, True),
        (Outcome.KILLED_MEMORY, Limits(time_limit=10.0, memory_limit=1e5), False, False),
        (Outcome.CRASHED, LIMITS, False, True),
        (Outcome.CRASHED, LIMITS, True, False),
        (Outcome.UNSOLVED, LIMITS, True, True),
        (Outcome.SKIPPED, LIMITS, False, False),
    ],
)
def test_what_counts_as_finished(tmp_path, outcome, limits, retry, stands):
    with Store(tmp_path) as store:
        store.put(job(), LIMITS, record(outcome))
        assert (job().key in store.finished(limits, retry=retry)) is stands


def test_damaged_store_is_named_and_left_alone(tmp_path):
    with Store(tmp_path) as store:
        for k in range(50):
            store.put(job(f"P{k}"), LIMITS, record(history=[[k, 0.0, 0.0, 0.0]] * 100))
        store.put(job("LAST"), LIMITS, record())
    path = tmp_path / "results.sqlite"
    damaged = bytearray(path.read_bytes())
    damaged[:6000] = b"\x55" * 6000
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match=r"results\.sqlite is damaged"):
        Store(tmp_path)
    assert path.read_bytes() == bytes(damaged)


def test_truncated_store_is_an_error_too(tmp_path):
    with Store(tmp_path) as store:
        for k in range(50):
            store.put(job(f"P{k}"), LIMITS, record(history=[[k, 0.0, 0.0, 0.0]] * 100))
    path = tmp_path / "results.sqlite"
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path)


def test_database_of_something_else_is_not_touched(tmp_path):
    path = tmp_path / "results.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE pets (name TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="something else"):
        Store(tmp_path)
    assert path.read_bytes()[100:] == before[100:]


def test_store_of_another_schema_is_refused(tmp_path):
    with Store(tmp_path) as store:
        store.set_meta("schema", "999")
    with pytest.raises(StoreError, match="schema 999"):
        Store(tmp_path)


def test_missing_store_is_not_made_for_reading(tmp_path):
    with pytest.raises(StoreError, match="holds no results"):
        Store(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write to .*file"):
        Store(tmp_path / "file" / "folder")
    with pytest.raises(StoreError, match="cannot write to"):
        Store(tmp_path / "file")


@pytest.mark.parametrize(
    "bad", [{"time_limit": 0.0}, {"tol": -1.0}, {"memory_limit": float("inf")}, {"grace": "x"}]
)
def test_limits_must_be_positive_numbers(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be a positive"):
        Limits(**bad)


def test_store_of_before_a_column_is_taken_over(tmp_path):
    with Store(tmp_path) as store:
        store.put(job(), LIMITS, record())
        path = store.path
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE results DROP COLUMN memory_before")
    connection.close()
    with Store(tmp_path) as store:
        store.put(job(version="2"), LIMITS, record(memory_before=3.0))
        old, new = store.rows()
    assert (old["memory_before"], new["memory_before"]) == (None, 3.0)
    assert old["objective"] == new["objective"] == 1.5
