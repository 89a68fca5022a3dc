"""`/api/v1/audit/heads`: what anybody may note, and nothing of today."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from samsyn_model.audit.sealing import seal_all
from tests.api.layer_requests import Caller, vector

HEADS = "/api/v1/audit/heads"


def test_anybody_lists_the_heads_of_days_that_are_over(
    owner: Caller, anonymous: Caller, empty_database: Engine
) -> None:
    today = datetime.now(UTC).date()
    heads = {
        (today - timedelta(days=number)).isoformat(): bytes([number]) * 32 for number in (1, 3)
    }
    with empty_database.begin() as connection:
        for number, (day, head) in enumerate(heads.items()):
            connection.execute(
                text("INSERT INTO daily_heads VALUES (:day, :position, :head)"),
                {"day": day, "position": number, "head": head},
            )
    assert owner.post(vector()).status_code == 201
    assert seal_all(empty_database) > 0
    response = anonymous.client.get(HEADS)
    assert response.status_code == 200
    assert response.json == [{"date": day, "head": head.hex()} for day, head in heads.items()]
    page = anonymous.client.get(f"{HEADS}?limit=1&offset=1")
    assert page.json == response.json[1:]
    assert page.headers["X-Total-Count"] == "2"
    assert anonymous.client.get(f"{HEADS}?day=1").status_code == 400
