"""Which history of a database an engine is on: `Way.lineage`."""

from samsyn_model.database.engine import way_of
from tests.model.scratch import address, scratch_database, scratch_engine, scratch_role, superuser

_FUNCTIONS = ("pg_control_system()", "pg_control_checkpoint()")


def _lineage(url: str) -> str:
    with scratch_engine(url) as engine:
        assert way_of(engine).lineage == ""
        with engine.connect():
            return way_of(engine).lineage


def test_it_is_one_for_a_database_whatever_its_name(server_url: str) -> None:
    with scratch_database(server_url) as url, scratch_database(server_url) as other:
        lineage = _lineage(url)
        assert lineage == _lineage(url) != _lineage(other)
        names = [each.rpartition("/")[2].partition("?")[0] for each in (url, other)]
        with superuser(server_url) as connection:
            for renamed in (f"{names[1]} TO {names[0]}_x", f"{names[0]} TO {names[1]}",
                            f"{names[0]}_x TO {names[0]}"):  # fmt: skip
                first, _, second = renamed.partition(" TO ")
                connection.exec_driver_sql(f"ALTER DATABASE {first} RENAME TO {second}")
        assert _lineage(other) == lineage


def test_a_role_that_may_not_ask_connects_all_the_same(server_url: str) -> None:
    with scratch_database(server_url) as url, scratch_role(server_url) as role:
        theirs = address(url, username=role, password=role)
        assert _lineage(theirs) == _lineage(url)
        with superuser(url) as connection:
            for function in _FUNCTIONS:
                connection.exec_driver_sql(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        assert _lineage(theirs) == ""
