"""The compose files as Compose reads them: who reaches whom, and what each may do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from samsyn_model.settings import CHECKOUT, Settings

COMPOSE = Path(sys.executable).with_name("docker-compose")
NEEDED = {
    "PUBLIC_URL": "https://plan.example.org",
    "CLERK_PUBLISHABLE_KEY": "pk_test_Y2xlcmsuZXhhbXBsZS5vcmck",
    "CERTIFICATES": "/etc/ssl/plan",
}
OURS = {"migrate", "app", "worker", "live", "tiler"}
ONCE = {"migrate", "backups"}


def compose(*files: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name.upper() not in NEEDED}
    return subprocess.run(
        [
            *(COMPOSE, "--env-file", "/dev/null"),
            *(word for file in files for word in ("-f", CHECKOUT / file)),
            *("config", "--no-env-resolution", "--format", "json"),
        ],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def production() -> Any:
    done = compose("docker-compose.prod.yml", **NEEDED)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("missing", sorted(NEEDED))
def test_what_has_no_default_is_required(missing: str) -> None:
    given = {name: value for name, value in NEEDED.items() if name != missing}
    done = compose("docker-compose.prod.yml", **given)
    assert done.returncode != 0
    assert f"required variable {missing} is missing" in done.stderr


def test_every_service_is_limited(production: Any) -> None:
    for name, service in production["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert int(service["mem_limit"]) > 0, name
        assert float(service["cpus"]) > 0, name
        assert not service.get("privileged"), name
        if name in OURS:
            assert "cap_add" not in service, name


def test_every_service_that_goes_on_has_a_health_check(production: Any) -> None:
    for name, service in production["services"].items():
        assert (service["restart"] == "no") == (name in ONCE), name
        if name not in ONCE | {"worker"}:  # the worker listens nowhere
            assert service["healthcheck"]["test"], name


def test_nginx_does_not_run_out_of_ports(production: Any) -> None:
    """It connects to the server for each request, and the system keeps ports for a minute."""
    assert production["services"]["nginx"]["sysctls"] == {"net.ipv4.tcp_tw_reuse": "1"}


def test_only_nginx_is_reached_from_outside(production: Any) -> None:
    services, networks = production["services"], production["networks"]
    published = {name for name, service in services.items() if service.get("ports")}
    assert published == {"nginx"}
    reached = {
        name
        for name, service in services.items()
        if set(service.get("networks", {})) & set(services["nginx"]["networks"])
    }
    assert reached == {"nginx", "app"}
    assert all(networks[name]["internal"] for name in ("front", "data", "tiles"))
    assert set(services["db"]["networks"]) == set(services["redis"]["networks"]) == {"data"}
    assert "data" not in services["tiler"]["networks"]


def test_all_wait_for_one_migration(production: Any) -> None:
    services = production["services"]
    for name in ("app", "worker", "live"):
        waited = services[name]["depends_on"]["migrate"]
        assert waited["condition"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"]["db"]["condition"] == "service_healthy"
    assert [n for n, s in services.items() if s.get("command") == ["db", "upgrade"]] == ["migrate"]


def test_secrets_are_files_that_settings_read(production: Any) -> None:
    services = production["services"]
    for name in OURS:
        for secret in services[name]["secrets"]:
            assert secret["source"] in Settings.model_fields
        texts = json.dumps(services[name]["environment"])
        assert "password" not in texts.lower()
        assert "secret" not in texts.lower()
    assert [one["source"] for one in services["tiler"]["secrets"]] == ["titiler_secret"]
    made = (CHECKOUT / "deploy" / "make-secrets").read_text()
    assert [name for name in production["secrets"] if f"write {name} " not in made] == []


def test_the_environment_names_settings(production: Any) -> None:
    for name in OURS:
        named = {key.lower() for key in production["services"][name]["environment"]}
        assert named <= set(Settings.model_fields), name


def test_secrets_that_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets").mkdir()
    script = tmp_path / "make-secrets"
    script.write_bytes((CHECKOUT / "deploy" / "make-secrets").read_bytes())
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for _ in range(2):  # the second time nothing is made anew
        subprocess.run(["sh", script], check=True, timeout=60)
        found = Settings(_env_file=None, _secrets_dir=tmp_path / "secrets")
        password = (tmp_path / "secrets" / "database_password").read_text()
        assert len(password) == 43
        assert found.database_url == f"postgresql://samsyn:{password}@db/samsyn"
        assert found.titiler_secret is not None
        assert found.clerk_secret_key is None
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere/samsyn")
    later = Settings(_env_file=None, _secrets_dir=tmp_path / "secrets")
    assert later.database_url == "postgresql://elsewhere/samsyn"


def test_the_database_of_developers() -> None:
    done = compose("docker-compose.yml")
    assert done.returncode == 0, done.stderr
    database = json.loads(done.stdout)["services"]["db"]
    assert [port["host_ip"] for port in database["ports"]] == ["127.0.0.1"]


def test_the_container_of_developers_has_the_checkout_and_the_database() -> None:
    container = json.loads((CHECKOUT / ".devcontainer" / "devcontainer.json").read_text())
    files = [f".devcontainer/{file}" for file in container["dockerComposeFile"]]
    done = compose(*files)
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    workspace = services[container["service"]]
    (volume,) = workspace["volumes"]
    assert (volume["source"], volume["target"]) == (str(CHECKOUT), container["workspaceFolder"])
    assert workspace["environment"]["DATABASE_URL"].endswith("@db/samsyn")
    assert set(workspace["depends_on"]) == {"db"}
    assert 8000 in container["forwardPorts"]
