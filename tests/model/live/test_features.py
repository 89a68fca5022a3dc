"""The features that are sent along with events."""

from sqlalchemy import Engine, text

from samsyn_model.live.features import changed_features
from samsyn_model.live.notices import newest_position, notices_after
from tests.model.tables.features import add_layer, insert


def test_what_is_changed_after_the_notices_is_not_sent_with_them(empty_database: Engine) -> None:
    """It may be private by then, which is told by a notice that has not been read."""
    with empty_database.begin() as connection:
        layer = add_layer(connection)
    with empty_database.begin() as connection:
        kept, changed = insert(connection, layer, 2)
    with empty_database.connect() as connection:
        notices = notices_after(connection, 0, 1000)
        until, _ = newest_position(connection)
    with empty_database.begin() as connection:
        connection.execute(
            text("UPDATE layers SET visibility = 'private' WHERE id = :layer"), {"layer": layer}
        )
        connection.execute(
            text("UPDATE layer_features SET properties = :secret WHERE id = :id"),
            {"secret": '{"n": "secret"}', "id": changed},
        )
    with empty_database.connect() as connection:
        assert changed_features(connection, notices, until).keys() == {(layer, kept)}
        newest, _ = newest_position(connection)
        features = changed_features(connection, notices, newest)
    assert features.keys() == {(layer, kept), (layer, changed)}
    assert "secret" in (features[layer, changed] or "")
