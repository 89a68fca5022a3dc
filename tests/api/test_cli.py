"""The `samsyn` command, run as its users run it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

SAMSYN = Path(sys.executable).with_name("samsyn")


@pytest.fixture
def samsyn(test_database_url: str, empty_database: Engine):
    def run(*arguments: str, database: str = test_database_url) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SAMSYN, *arguments],
            env={**os.environ, "DATABASE_URL": database},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_token_create_prints_the_token_alone(samsyn, empty_database: Engine) -> None:
    created = samsyn("token", "create", "New.User@example.org", "--scope", "read", "--days", "2")
    assert created.returncode == 0, created.stderr
    assert re.fullmatch(r"samsyn_[A-Za-z0-9_-]{43}\n", created.stdout)
    again = samsyn("token", "create", "new.user@EXAMPLE.org", "--name", "laptop")
    assert again.returncode == 0, again.stderr
    with empty_database.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT t.name, t.scope, t.expires_at - now() < '3 days' AS soon, u.id"
                " FROM api_tokens t JOIN users u ON u.id = t.user_id ORDER BY t.created_at"
            )
        ).all()
    assert [row[:3] for row in rows] == [
        ("command line", "read", True),
        ("laptop", "write", None),
    ]
    assert rows[0].id == rows[1].id


def test_user_admin(samsyn, empty_database: Engine) -> None:
    assert samsyn("user", "admin", "boss@example.org").returncode == 0
    with empty_database.connect() as connection:
        assert connection.execute(text("SELECT email, is_admin FROM users")).all() == [
            ("boss@example.org", True)
        ]


def test_database_commands(samsyn, test_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert samsyn("db", "upgrade").returncode == 0
    checked = samsyn("db", "check")
    assert checked.returncode == 0, checked.stderr
    settings = samsyn("db", "settings")  # of the role, which needs none on a straight way
    assert settings.returncode == 1
    assert "statement_timeout is 0, not 30000" in settings.stderr
    monkeypatch.setenv("DIRECT_DATABASE_URL", test_database_url)
    # past a pooler, which is not asked
    upgraded = samsyn("db", "upgrade", database="postgresql://127.0.0.1:1/none")
    assert upgraded.returncode == 0, upgraded.stderr
    assert "samsyn db settings --apply" in upgraded.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("token", "create", "not an email"), 1, "email"),
        (("token", "create", "a@example.org", "--days", "0"), 2, "--days"),
        (("token", "create", "a@example.org", "--scope", "all"), 2, "scope"),
        (("import", "/nonexistent.gpkg", "--owner", "a@example.org"), 1, "nonexistent"),
        (("import", "file.gpkg"), 2, "--owner"),
        (("import", "--map", "a.gpkg", "--owner", "a@example.org", "--public"), 1, "as --public."),
        (("import", "--map", "a.gpkg", "--owner", "a@example.org", "--x", "a"), 1, "as --x."),
        (
            ("import", "--map", "a.gpkg", "--owner", "a@example.org", "--report", "a.csv"),
            1,
            "as --report.",
        ),
        (
            ("import", "a.gpkg", "--owner", "a@example.org", *["--index", "a"] * 9),
            1,
            "--index: This has to have at most 8 items, not 9.",
        ),
        (
            ("import", "a.gpkg", "--owner", "a@example.org", "--name", ""),
            1,
            "--name: This may not be empty.",
        ),
        (("sail",), 2, "sail"),
    ],
)
def test_errors_are_reported_in_a_line(
    samsyn, arguments: tuple[str, ...], code: int, message: str
) -> None:
    failed = samsyn(*arguments)
    assert failed.returncode == code, failed.stderr
    assert message in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stdout == ""


def test_a_malformed_setting_is_reported_by_name(test_database_url: str) -> None:
    failed = subprocess.run(
        [SAMSYN, "serve"],
        env={**os.environ, "DATABASE_URL": test_database_url, "PORT": "abc"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert failed.returncode == 1
    assert "PORT" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    "database",
    [
        "postgresql://nobody:secret@/nothing?host=/nonexistent",
        "mysql://root@localhost/samsyn",
        "not a url",
    ],
)
def test_a_wrong_database_is_reported_without_its_password(samsyn, database: str) -> None:
    failed = samsyn("db", "upgrade", database=database)
    assert failed.returncode == 1
    assert failed.stderr.startswith("samsyn: ")
    assert "Traceback" not in failed.stderr
    assert "secret" not in failed.stderr
