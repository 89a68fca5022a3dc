"""Tables that grow with features can be distributed by layer: no key to others, triggers that write
beside the shard they are called for, functions of a layer's id for lists."""

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

FUNCTIONS = Path(__file__).with_suffix(".sql")
_BESIDE = re.compile(r"^( *)-- beside: ([\w, ]+) \(([\w, ]+)\)\n *([^;]+);\n", re.MULTILINE)
_REPLACED = {
    "0001_tables": ("fold_layer_changes",),
    "0004_property_values": (
        *("index_inserted_features", "index_updated_features", "index_deleted_features"),
        "index_properties",
    ),
    "0005_layer_times": ("time_properties", "layer_times", "index_times"),
    "0017_history": (
        *("current_change_set", "commit_change_set", "delete_layer_features"),
        *("count_inserted_features", "count_updated_features", "count_deleted_features"),
        *("keep_updated_features", "keep_deleted_features", "keep_truncated_features"),
    ),
    "0018_live_events": ("notice_change_set",),
}
_DROPPED = (
    *("layer_times(uuid)", "time_properties(text, jsonb)", "layer_properties(uuid)"),
    "feature_at(uuid, bigint, timestamptz)",
    *("layer_types(uuid)", "layer_version(uuid)", "layer_count(uuid)"),
    *("gather_changes(uuid)", "noted_changes(uuid)", "fold_layer_changes(uuid, text)"),
    *("held_properties(uuid, text)", "require_layer(uuid, text)"),
    *("begin_writing(uuid)", "hold_layer(uuid)", "table_beside(text, text)"),
    "set_for_shards(text, text)",
)


def upgrade() -> None:
    op.drop_constraint(op.f("fk_layer_changes_layer_id"), "layer_changes", type_="foreignkey")
    op.execute("ALTER TABLE layer_changes ALTER id DROP IDENTITY")
    op.alter_column(
        "layer_changes",
        "id",
        type_=sa.Uuid(),
        server_default=sa.text("gen_random_uuid()"),
        postgresql_using="gen_random_uuid()",
    )
    functions = _BESIDE.sub(_for_tables_and_shards, FUNCTIONS.read_text())
    op.get_bind().exec_driver_sql(functions.replace("%", "%%"))


def _for_tables_and_shards(found: re.Match[str]) -> str:
    """Return a statement on tables beside the one that a trigger is called for, in both forms."""
    indent, tables, variables, statement = found.groups()
    names, values = tables.split(", "), variables.split(", ")
    text = statement.replace("'", "''").replace("%", "%%")
    for number, name in enumerate(values, start=1):
        text = re.sub(rf"\b{name}\b", f"${number}", text)
    for number, name in enumerate(names, start=1):
        text = re.sub(rf"\b{name}\b", f"%{number}$I", text)
    beside = ", ".join(f"table_beside(TG_TABLE_NAME::text, '{name}')" for name in names)
    return f"""{indent}IF TG_TABLE_NAME = 'layer_features' THEN
{indent}{statement};
{indent}ELSE
{indent}EXECUTE format('{text}',
{indent}    {beside}) USING {variables};
{indent}END IF;
"""


def downgrade() -> None:
    op.drop_column("layer_changes", "id")
    op.add_column("layer_changes", sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False))
    op.create_primary_key(op.f("pk_layer_changes"), "layer_changes", ["layer_id", "id"])
    op.create_foreign_key(
        op.f("fk_layer_changes_layer_id"),
        *("layer_changes", "layers", ["layer_id"], ["id"]),
        ondelete="CASCADE",
    )
    for file, names in _REPLACED.items():
        former = Path(__file__).with_name(f"{file}.sql").read_text()
        for name in names:
            found = re.search(
                rf"^CREATE (?:OR REPLACE )?(FUNCTION {name}\(.*?^(?:END )?\$\$;)",
                *(former, re.DOTALL | re.MULTILINE),
            )
            if found is None:
                raise LookupError(name)
            op.get_bind().exec_driver_sql(f"CREATE OR REPLACE {found[1]}".replace("%", "%%"))
    for function in _DROPPED:
        op.execute(f"DROP FUNCTION {function}")
