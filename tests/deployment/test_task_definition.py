"""The task definition for ECS names our commands and settings, and gives no secret as text."""

import json
from typing import Any

import pytest

from samsyn_admin.cli import main
from samsyn_model.settings import CHECKOUT, Settings

TASK = json.loads((CHECKOUT / "deploy" / "ecs" / "task-definition.json").read_text())


@pytest.mark.parametrize("container", TASK["containerDefinitions"], ids=lambda one: one["name"])
def test_containers(container: Any) -> None:
    assert container["command"][0] in main.commands
    assert container["readonlyRootFilesystem"]
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    given = {one["name"]: one["value"] for one in container.get("environment", [])}
    secrets = {one["name"] for one in container.get("secrets", [])}
    assert {name.lower() for name in set(given) | secrets} <= set(Settings.model_fields)
    assert not {"DATABASE_URL", "TITILER_SECRET", "CLERK_SECRET_KEY"} & set(given)
    assert Settings(_env_file=None, **{name.lower(): value for name, value in given.items()})
    volumes = {one["name"] for one in TASK["volumes"]}
    assert {one["sourceVolume"] for one in container.get("mountPoints", [])} <= volumes


def test_the_sum_fits() -> None:
    assert sum(one["memory"] for one in TASK["containerDefinitions"]) <= int(TASK["memory"])
