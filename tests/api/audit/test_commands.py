"""`samsyn audit` and `samsyn history`."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from samsyn_admin.cli import main
from samsyn_model.origin import set_origin
from samsyn_model.settings import get_settings
from tests.model.tables.features import add_layer, insert, update

NEXT_WEEK = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()

type Run = Callable[..., Result]


@pytest.fixture
def samsyn(
    test_database_url: str, empty_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Run a command on the test database."""
    monkeypatch.setenv("DATABASE_URL", test_database_url)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    get_settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(main, arguments)
    get_settings.cache_clear()
    set_origin(None)


def test_a_noted_head_tells_whether_history_was_rewritten(
    samsyn: Run, empty_database: Engine
) -> None:
    with empty_database.begin() as connection:
        layer = add_layer(connection)
        ids = insert(connection, layer, 3)
    noted = samsyn("audit", "head")
    assert noted.exit_code == 0, noted.stderr
    day, position, head = noted.stdout.split()
    assert day == datetime.now(UTC).date().isoformat()
    assert samsyn("audit", "head", "--date", day).stdout == noted.stdout
    with empty_database.begin() as connection:
        update(connection, layer, ids)
    right = samsyn("audit", "verify", "--head", head)
    assert (right.exit_code, right.stdout) == (0, ""), right.stderr
    counted = re.search(r"(\d+) change sets and 6 states of features verified, 0 of", right.stderr)
    assert counted is not None
    assert int(counted[1]) == int(position) + 1
    since = samsyn("audit", "verify", "--since", head)
    assert "1 change set and" in since.stderr
    with empty_database.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE feature_versions SET properties = '{\"a\": 1}'"))
    wrong = samsyn("audit", "verify", "--head", "00" * 32)
    assert wrong.exit_code == 1
    found = wrong.stdout.splitlines()
    assert found[0] == f"missing: the head {'00' * 32}"
    assert [line.rpartition(", ")[2] for line in found[1:]] == [f"feature {key})" for key in ids]
    assert samsyn("audit", "verify", "--since", "00" * 32).exit_code == 1


def test_versions_are_pruned(samsyn: Run, empty_database: Engine) -> None:
    with empty_database.begin() as connection:
        layer = add_layer(connection)
        ids = insert(connection, layer, 3)
    with empty_database.begin() as connection:
        update(connection, layer, ids)
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    told = samsyn("history", "prune", "--before", before, "--dry-run")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith("3 versions (")
    assert told.stdout.endswith(" bytes) of 1 layer would be removed\n")
    done = samsyn("history", "prune", "--before", before, "--layer", str(layer))
    assert done.stdout == told.stdout.replace("would be removed", "removed")
    assert f"of layer {layer}" in done.stderr
    assert samsyn("audit", "verify").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("audit", "verify", "--since", "yesterday"), 2, "hexadecimal"),
        (("audit", "verify", "--head", "2026-01-01"), 2, "hexadecimal"),
        (("audit", "head", "--date", "1999-01-01"), 1, "nothing had been sealed"),
        (("history", "prune", "--before", "soon"), 1, "--before"),
        (("history", "prune", "--before", "2020-01-01/2021-01-01"), 1, "--before"),
        (("history", "prune", "--before", NEXT_WEEK), 1, "future"),
    ],
)
def test_errors_are_reported_in_a_line(
    samsyn: Run, arguments: tuple[str, ...], code: int, message: str
) -> None:
    failed = samsyn(*arguments)
    assert failed.exit_code == code, failed.stderr
    assert message in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stdout == ""
