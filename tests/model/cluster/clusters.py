"""What the tests of private clusters share: questions to one, and when they cannot run."""

import os
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from samsyn_model.cluster.installations import find_installations

needs_postgresql = pytest.mark.skipif(
    not find_installations(), reason="no PostgreSQL with PostGIS is installed on this machine"
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")


def ask(url: str, question: str) -> object:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return connection.exec_driver_sql(question).scalar_one()


def socket_of(url: str) -> Path:
    return Path(str(make_url(url).query["host"])) / ".s.PGSQL.5432"
