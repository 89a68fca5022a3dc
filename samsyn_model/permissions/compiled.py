"""Statements compiled once for all principals of a kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Select,
)
from sqlalchemy.dialects.postgresql import psycopg

from samsyn_model.database.execution import run
from samsyn_model.database.sql_text import Rows
from samsyn_model.permissions.principal import Principal


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """A statement compiled once for all principals of a kind."""

    text: str
    values: Mapping[str, Any]

    def run(self, connection: Connection, principal: Principal, **values: Any) -> Rows:
        """Run it for a principal; `values` are those that it binds by name."""
        values = {**self.values, "principal": principal.user_id, **values}
        return run(connection, self.text, values, prepared=True)


def compile_statement(statement: Select[Any] | CompoundSelect[Any]) -> CompiledStatement:
    """Compile a statement made for the `principal_kind` of a principal, once."""
    compiled = statement.compile(dialect=psycopg.dialect())  # type: ignore[no-untyped-call]
    return CompiledStatement(str(compiled), dict(compiled.params))
