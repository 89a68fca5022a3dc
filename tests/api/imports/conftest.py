"""An app with a storage of its own, and the jobs of its imports."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_admin.jobs.execution import execute
from samsyn_model.jobs.attempts import begin_attempt
from samsyn_model.settings import Settings
from tests.api.jobs.workers import rows
from tests.documented_responses import validate_responses

type RunJobs = Callable[[], None]


@pytest.fixture
def settings(empty_database: Engine, tmp_path: Path) -> Settings:
    url = empty_database.url.render_as_string(hide_password=False)
    return Settings(_env_file=None, storage_dir=tmp_path / "storage", database_url=url)


@pytest.fixture
def app(empty_database: Engine, settings: Settings) -> Flask:
    created = create_app(settings, empty_database)
    validate_responses(created)
    return created


@pytest.fixture
def run_jobs(empty_database: Engine, settings: Settings) -> RunJobs:
    """Runs the jobs that wait, one after the other, in this process."""

    def run() -> None:
        waiting = "SELECT id FROM jobs WHERE status = 'accepted' ORDER BY created_at"
        for row in rows(empty_database, waiting):
            with empty_database.begin() as connection:
                begun = begin_attempt(connection, row.id, {})
            assert begun is not None
            assert execute(settings, begun[0]) == 0

    return run
