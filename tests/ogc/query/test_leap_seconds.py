"""Leap seconds, which RFC 3339 allows: the first second after them."""

import json
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from samsyn_model.properties.date_times import parsed_date_time, rfc3339
from tests.ogc.conftest import Person

FIELDS = {"at": {"type": "string", "format": "date-time"}}
LEAP = "2016-12-31T23:59:60Z"
TIMES = ["2016-12-31T23:59:59Z", "2017-01-01T00:00:00Z", "2017-01-01T00:00:01Z"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (LEAP, TIMES[1]),
        ("2016-12-31t23:59:60z", TIMES[1]),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250Z"),
        ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z"),
        ("2015-07-01T05:29:60+05:30", "2015-07-01T00:00:00Z"),
        ("2016-12-31T23:59:60", TIMES[1]),
    ],
)
def test_it_is_the_first_second_after_it(text: str, moment: str) -> None:
    assert rfc3339(parsed_date_time(text)) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2016-12-31T12:00:60Z",
        "2016-12-31T23:59:61Z",
        "2016-12-30T23:59:60Z",
        "2016-12-31T23:59:60+01:00",
        "2016-12-31T23:60:60Z",
        "9999-12-31T23:59:60Z",
        "2016-12-31T23:59:60Zx",
    ],
)
def test_no_other_minute_has_it(client: FlaskClient, layer: Callable[..., str], text: str) -> None:
    path = f"/ogc/collections/{layer(time_field='at', fields=FIELDS)}/items"
    for query in (
        {"datetime": text},
        {"datetime": f"../{text}"},
        {"filter": f"at > TIMESTAMP('{text}')"},
    ):
        refused = client.get(path, query_string=query)
        assert refused.status_code == 400, query
        assert text in refused.text


def test_where_moments_are_compared(client: FlaskClient, layer: Callable[..., str]) -> None:
    layer_id = layer([(None, {"at": time}) for time in TIMES], time_field="at", fields=FIELDS)

    def found(**query: str) -> list[str]:
        response = client.get(f"/ogc/collections/{layer_id}/items", query_string=query)
        assert response.status_code == 200, response.text
        return [feature["properties"]["at"] for feature in json.loads(response.text)["features"]]

    assert found(datetime=LEAP) == TIMES[1:2]
    assert found(datetime=f"{LEAP}/..") == TIMES[1:]
    assert found(datetime=f"../{LEAP}") == TIMES[:2]
    assert found(filter=f"at < TIMESTAMP('{LEAP}')") == TIMES[:1]
    assert found(filter=f"T_AFTER(at, TIMESTAMP('{LEAP}'))") == TIMES[2:]
    assert found(filter=f"T_DURING(at, INTERVAL('{TIMES[0]}', '{LEAP}'))") == []


def test_where_features_have_it(
    client: FlaskClient, layer: Callable[..., str], person: Callable[[str], Person]
) -> None:
    layer_id, owner = layer(time_field="at", fields=FIELDS), person("owner")
    path = f"/ogc/collections/{layer_id}/items"
    feature = {"type": "Feature", "geometry": None, "properties": {"at": LEAP}}
    made = client.post(path, json=feature, headers=owner.headers)
    assert made.status_code == 201, made.text
    assert json.loads(made.text)["properties"]["at"] == TIMES[1]
    feature["properties"] = {"at": "2016-12-31T12:00:60Z"}
    assert client.post(path, json=feature, headers=owner.headers).status_code == 422
