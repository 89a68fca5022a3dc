"""What Citus needs of the tables that grow with features, looked up in the catalogue."""

import pytest
from sqlalchemy import Connection

from samsyn_model.sharding.tables import DISTRIBUTED_TABLES, DISTRIBUTION_COLUMN
from samsyn_model.tables.metadata import metadata


def names(connection: Connection, statement: str) -> list[str]:
    tables = list(DISTRIBUTED_TABLES)
    return list(connection.exec_driver_sql(statement, {"tables": tables}).scalars())


def test_keys_begin_with_the_layer(connection: Connection) -> None:
    found = names(
        connection,
        """
        SELECT pg_get_indexdef(indexrelid, 1, true) FROM pg_index
        WHERE indisunique AND indrelid = ANY(%(tables)s::regclass[])""",
    )
    assert len(found) >= len(DISTRIBUTED_TABLES)
    assert set(found) == {DISTRIBUTION_COLUMN}


def test_tables_with_rows_of_each_feature_are_distributed() -> None:
    growing = {
        name
        for name, table in metadata.tables.items()
        if [column.name for column in table.primary_key.columns][:1] == [DISTRIBUTION_COLUMN]
    }
    # what imports replaced is gone once they are taken back; horizons are one a layer
    assert growing - {"import_changes", "history_horizons"} == set(DISTRIBUTED_TABLES)


def test_no_foreign_key_crosses(connection: Connection) -> None:
    assert not names(
        connection,
        """
        SELECT conname FROM pg_constraint
        WHERE contype = 'f' AND (conrelid = ANY(%(tables)s::regclass[])
            OR confrelid = ANY(%(tables)s::regclass[]))""",
    )


def test_no_identity_has_to_be_made_up_by_a_shard(connection: Connection) -> None:
    """That of features is given where they are sent to; triggers insert none."""
    found = names(
        connection,
        """
        SELECT relname || '.' || attname FROM pg_attribute
        JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = ANY(%(tables)s::regclass[])
            AND (attidentity <> '' OR pg_get_expr(adbin, adrelid) LIKE 'nextval%%')""",
    )
    assert found == ["layer_features.id"]


def test_no_function_takes_a_row_of_a_table(connection: Connection) -> None:
    assert not names(
        connection,
        """
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND EXISTS (
            SELECT FROM unnest(proargtypes) AS argument (oid)
            JOIN pg_class ON pg_class.reltype = argument.oid
            WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
                AND NOT starts_with(relname, 'procrastinate_')
                AND relname = ANY(%(tables)s)
        ) AND NOT starts_with(proname, 'procrastinate_')""",
    )


@pytest.mark.parametrize("table", DISTRIBUTED_TABLES[1:])
def test_triggers_are_of_features_alone(connection: Connection, table: str) -> None:
    found = connection.exec_driver_sql(
        "SELECT count(*) FROM pg_trigger WHERE tgrelid = %(table)s::regclass", {"table": table}
    )
    assert found.scalar_one() == 0
