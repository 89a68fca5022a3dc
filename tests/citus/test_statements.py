"""What programs send: no statement joins a distributed table with one on the coordinator.

Needs no Citus: the statements of a mixed run of requests are looked at.
"""

import re
from collections.abc import Sequence
from importlib import import_module
from pkgutil import walk_packages

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

import samsyn_admin
import samsyn_model
import samsyn_provider
from samsyn_admin.app import create_app
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings
from samsyn_model.sharding.tables import DISTRIBUTED_TABLES
from samsyn_model.tables.metadata import metadata
from tests.citus.requests import Run, send_all
from tests.statements import statements

_NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|USING|TABLE)\s+(?:ONLY\s+)?(\w+)", re.IGNORECASE)
# Citus reads the distributed part of these first, by itself, as it depends on nothing else: a
# subquery with a limit, a materialized one, a member of a union, what is inserted. What is new here
# has to be tried on a distributed database.
_READ_IN_PARTS = (
    "SELECT page.*, change_sets.via",  # a page of change sets, and who made them
    "WITH recent AS MATERIALIZED",  # change sets of layers, and of what is no feature
    "SELECT anon_1.change_set_id, anon_1.number",  # what these did
    "WITH versions AS MATERIALIZED",  # the versions of a feature, and who made them
    "SELECT coalesce(cached, ''::bytea",  # a tile, unless there is one cached
    "SELECT %(moment)s >= (SELECT created_at FROM change_sets",  # a moment, and what begins there
    "INSERT INTO layer_changes (layer_id, feature_count, changes) SELECT id",
    "INSERT INTO layer_features (layer_id, id, version",  # of a layer that comes back
)

_SQL = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE)\b")
# Texts that name both: they have been run on a distributed database, and so has to be what is new.
_TRIED = {
    "samsyn_admin.imports.loading.undo": {
        *("_CHANGED_FEATURES", "_DELETE_INSERTED", "_PUT_BACK", "_RESTORE"),
    },
    "samsyn_admin.imports.staging.changes": {"_DELETE", "_INSERT", "_RECORD", "_UPDATE"},
    "samsyn_model.audit.links": {"_UNSEALED"},
    "samsyn_model.audit.pruning": {"_CHANGE_SETS", "_REMOVE"},
    "samsyn_model.history.as_of": {"_AS_OF"},
    "samsyn_model.history.deleted_layers": {"_CONTINUE_VERSIONS", "_INSERT_FEATURES"},
    "samsyn_model.history.reversal_statements": {"STATES_TO_BE"},
    "samsyn_model.live.features": {"_SELECT"},
    "samsyn_provider.versions.attributions": {"_SET"},
    "samsyn_provider.versions.change_sets": {"_PAGE"},
}


@pytest.fixture
def client(empty_database: Engine) -> FlaskClient:
    settings = Settings(_env_file=None, writes_per_minute=0)
    return create_app(settings, empty_database).test_client()


@pytest.fixture
def sent(client: FlaskClient, empty_database: Engine) -> Sequence[str]:
    """The statements of a mixed run."""
    with empty_database.begin() as connection:
        user_id = api_tokens.find_or_create_user(connection, "owner@example.org")
        token = api_tokens.create_token(connection, user_id, name="test", scope="write")
    run = Run(client, {"Authorization": f"Bearer {token}"})
    with statements() as seen:
        send_all(run)
    assert len(run.answers) > 95
    assert not [answer for answer in run.answers if answer.status >= 500]
    return seen


def test_no_statement_joins_features_with_what_is_elsewhere(sent: Sequence[str]) -> None:
    plain = metadata.tables.keys() - set(DISTRIBUTED_TABLES)
    seen = set[str]()
    for statement in dict.fromkeys(sent):
        named = set(_NAMED.findall(statement))
        distributed = named & set(DISTRIBUTED_TABLES)
        seen |= distributed
        if distributed and not statement.startswith(_READ_IN_PARTS):
            assert not named & plain, f"{named & plain}: {statement}"
    assert seen >= {"layer_features", "feature_versions", "property_values", "layer_changes"}


def test_no_text_joins_features_with_what_is_elsewhere() -> None:
    """Also of what the run does not send, such as the statements of jobs."""
    plain = metadata.tables.keys() - set(DISTRIBUTED_TABLES)
    found: dict[str, set[str]] = {}
    for package in (samsyn_model, samsyn_provider, samsyn_admin):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            for name, value in vars(import_module(module.name)).items():
                if isinstance(value, str) and _SQL.search(value):
                    named = set(_NAMED.findall(value))
                    if named & plain and named & set(DISTRIBUTED_TABLES):
                        found.setdefault(module.name, set()).add(name)
    assert found == _TRIED


def test_features_of_a_layer_are_asked_for_by_its_id(sent: Sequence[str]) -> None:
    """One that does not is sent to every shard."""
    for statement in dict.fromkeys(sent):
        if set(_NAMED.findall(statement)) & {"layer_features", "feature_versions"}:
            assert "layer_id" in statement, statement
