"""Settings: what the environment says, and that the documents name every one of them."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from samsyn_model.settings import CHECKOUT, Settings

NAMES = {name.upper() for name in Settings.model_fields}
FIXED = {
    "DATABASE_URL",
    "FRONTEND_URL",
    "PUBLIC_URL",
    "CLERK_PUBLISHABLE_KEY",
    "CLERK_SECRET_KEY",
    "CLERK_WEBHOOK_SECRET",
    "CLERK_JWT_KEY",
    "CLERK_JWKS_URL",
    "CLERK_ISSUER",
    "CLERK_AUTHORIZED_PARTIES",
    "TITILER_URL",
    "REDIS_URL",
    "S3_BUCKET",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "PORT",
    "WEB_CONCURRENCY",
}
"""What deployments rely on."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any of our settings."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


def settings(env_file: Path | None = None) -> Settings:
    return Settings(_env_file=env_file)


def documented(path: Path) -> set[str]:
    """Return the settings that the rows of a Markdown table begin with: `| `NAME` | …`."""
    return set(re.findall(r"^\|\s*`([A-Z][A-Z0-9_]+)`", path.read_text(), re.MULTILINE))


def test_the_operating_guide_lists_every_setting_and_no_other() -> None:
    assert documented(CHECKOUT / "docs" / "operating.md") == NAMES


def test_the_example_names_every_setting_and_no_other() -> None:
    example = (CHECKOUT / ".env.example").read_text()
    named = re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE)
    assert sorted(named) == sorted(NAMES)


def test_the_example_changes_nothing(environment: pytest.MonkeyPatch) -> None:
    assert settings(CHECKOUT / ".env.example") == settings()


def test_the_names_that_deployments_rely_on_are_there() -> None:
    assert FIXED <= NAMES


def test_nothing_is_needed(environment: pytest.MonkeyPatch) -> None:
    found = settings()
    assert found.database_url is None
    assert (found.host, found.port, found.web_concurrency) == ("127.0.0.1", 8000, None)
    assert found.clerk_authorized_parties == ()


def test_an_empty_value_is_none(environment: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        environment.setenv(name, "")
    empty = settings()
    environment.undo()
    assert empty == Settings.model_construct()


def test_the_environment_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://elsewhere/samsyn")
    environment.setenv("PUBLIC_URL", "https://samsyn.example.org/sea/")
    environment.setenv("CLERK_AUTHORIZED_PARTIES", "https://a.example.org, ,https://b.example.org")
    environment.setenv("CLERK_SECRET_KEY", "sk_test_very_secret")
    environment.setenv("PORT", "8080")
    found = settings()
    assert found.database_url == "postgresql://elsewhere/samsyn"
    assert found.public_url == "https://samsyn.example.org/sea"
    assert found.clerk_authorized_parties == ("https://a.example.org", "https://b.example.org")
    assert found.port == 8080
    assert "very_secret" not in repr(found)


def test_a_file_is_read_and_the_environment_goes_before_it(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text('PORT=8001\nHOST="0.0.0.0"\nSOMETHING_ELSE=1\nCLERK_JWT_KEY="a\\nb"\n')
    environment.setenv("PORT", "8002")
    found = settings(file)
    assert (found.port, found.host, found.clerk_jwt_key) == (8002, "0.0.0.0", "a\nb")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("WEB_CONCURRENCY", "0"),
        ("TRUSTED_PROXIES", "-1"),
        ("STATEMENT_TIMEOUT", "0"),
        ("INLINE_FEATURES", "many"),
        ("SMTP_PORT", "0"),
        ("SMTP_TLS", "ssl"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@example.org, b@example.org"),
        ("MAIL_FROM", "SamSyn\n<a@example.org>"),
        ("READ_DATABASE_URL", "mysql://replica/samsyn"),
        ("READ_DATABASE_MAX_LAG", "0"),
    ],
)
def test_a_malformed_value_is_refused_by_name(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        settings()


def test_the_way_past_a_pooler_needs_one(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DIRECT_DATABASE_URL", "postgresql://elsewhere/samsyn")
    with pytest.raises(ValidationError, match="direct_database_url"):
        settings()
    environment.setenv("DATABASE_URL", "postgresql://pooler/samsyn")
    assert settings().direct_database_url == "postgresql://elsewhere/samsyn"


def test_mail_needs_a_sender_and_passwords_encryption(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SMTP_HOST", "mail.example.org")
    with pytest.raises(ValidationError, match="mail_from"):
        settings()
    environment.setenv("MAIL_FROM", "SamSyn <samsyn@example.org>")
    environment.setenv("SMTP_PASSWORD", "very_secret")
    assert "very_secret" not in repr(settings())
    environment.setenv("SMTP_TLS", "off")
    with pytest.raises(ValidationError, match="smtp_tls"):
        settings()


def test_settings_do_not_change(environment: pytest.MonkeyPatch) -> None:
    found = settings()
    with pytest.raises(ValidationError, match="frozen"):
        found.port = 9
