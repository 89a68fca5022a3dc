"""The HTML page of items: its form, its order, its pages, and what all of it costs."""

import html
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from samsyn_provider.http.formats import FORMATS
from samsyn_provider.http.links import MAX_HEADER
from tests.ogc.conftest import Person
from tests.statements import statements

Layer = Callable[..., str]
FIELDS: dict[str, dict[str, Any]] = {
    "name": {"type": "string", "title": "Name of the site"},
    "depth": {"type": "number"},
    "rank": {"type": "integer"},
    "open": {"type": "boolean"},
    "kind": {"type": "string", "enum": ["a", "b & c", None]},
    "code": {"type": "integer", "enum": [1, 2]},
    "since": {"type": "string", "format": "date"},
    "at": {"type": "string", "format": "date-time"},
    "tags": {"type": "array"},
}
TEXTS = (
    "plain",
    "50% _off_",
    "o'clock",
    "back\\slash",
    "\\'",
    "ends\\",
    '"quoted"',
    "<b>",
    "مرحبا",
)


class _Inputs(HTMLParser):
    """The inputs of a page's form with their values, and how many elements there are of each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.invalid: set[str] = set()
        self._select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        name = attributes.get("name") or ""
        if tag == "input":
            self.values[name] = attributes.get("value") or ""
            self.types[name] = attributes.get("type") or "text"
            if "aria-invalid" in attributes:
                self.invalid.add(name)
        elif tag == "select":
            self._select = name
            self.types[name] = "select"
            self.values[name] = ""
        elif tag == "option" and self._select and "selected" in attributes:
            self.values[self._select] = attributes.get("value") or ""


def ids(page: str) -> list[int]:
    """The ids of the features in a page's table, in its order."""
    return [int(number) for number in re.findall(r"<td><a [^>]*>(\d+)</a></td>", page)]


def span(page: str) -> str:
    found = re.search(r'role="status">([^<]+)</p>', page)
    assert found, page
    return found[1]


def link_to(page: str, rel: str) -> str | None:
    found = re.search(rf'rel="{rel}" href="([^"]*)"', page)
    return html.unescape(found[1]) if found else None


def arguments_of(response: TestResponse) -> dict[str, str]:
    """The parameters of the address that a form leads to."""
    assert response.status_code == 303, response.text
    return {name: value for name, (value,) in parse_qs(_query(response)).items()}


def _query(response: TestResponse) -> str:
    return urlsplit(response.headers["Location"]).query


@pytest.fixture
def sites(layer: Layer) -> str:
    features = [
        (
            f"POINT({n} 10)",
            {
                **{"name": f"Site {n}", "depth": n / 2, "rank": n % 3, "open": n % 2 == 0},
                **{"kind": "b & c" if n % 2 else "a", "code": 1 + n % 2, "tags": [n]},
                **{"since": f"2024-01-{n + 1:02}", "at": f"2024-01-{n + 1:02}T12:00:00Z"},
            },
        )
        for n in range(26)
    ]
    return f"/ogc/collections/{layer(features, fields=FIELDS)}"


def test_every_queryable_has_its_inputs(client: FlaskClient, sites: str) -> None:
    page = client.get(f"{sites}/items?f=html").text
    assert _Inputs(page).types == {
        **{"how.name": "select", "text.name": "text"},
        **{"from.depth": "number", "to.depth": "number"},
        **{"from.rank": "number", "to.rank": "number"},
        **{"is.open": "select", "is.kind": "select", "is.code": "select"},
        **{"from.since": "date", "to.since": "date"},
        **{"from.at": "datetime-local", "to.at": "datetime-local"},
        **{"bbox": "text", "filter": "text"},
    }
    assert "Name of the site" in page
    assert '<option value="b &amp; c">' in page


@pytest.mark.parametrize(
    ("inputs", "matches"),
    [
        ({"how.name": "contains", "text.name": "SITE 2"}, {2, *range(20, 26)}),
        ({"how.name": "is", "text.name": "Site 2"}, {2}),
        ({"text.name": "e 2"}, {2, *range(20, 26)}),
        ({"from.depth": "10"}, set(range(20, 26))),
        ({"from.depth": "10", "to.depth": "1.1e1"}, {20, 21, 22}),
        ({"from.depth": "10", "to.depth": "10"}, {20}),
        ({"to.depth": "-0.5"}, set()),
        ({"from.rank": "2", "to.rank": ""}, {n for n in range(26) if n % 3 == 2}),
        ({"is.open": "true", "to.depth": "1"}, {0, 2}),
        ({"is.kind": "b & c", "to.depth": "2"}, {1, 3}),
        ({"is.code": "2", "to.depth": "2"}, {1, 3}),
        ({"from.since": "2024-01-25"}, {24, 25}),
        ({"from.at": "2024-01-25T12:00", "to.at": "2024-01-25T12:00:00"}, {24}),
        ({"from.at": "2024-01-25T12:00:00.5"}, {25}),
        ({"bbox": "3,9,5,11"}, {3, 4, 5}),
        ({"bbox": "3,9,5,11", "is.open": "true"}, {4}),
        ({"filter": "depth > 12 OR depth < 0.5", "is.open": "false"}, {25}),
        ({"filter": '{"op": ">", "args": [{"property": "depth"}, 12]}'}, {25}),
    ],
)
def test_the_form_selects(
    client: FlaskClient, sites: str, inputs: dict[str, str], matches: set[int]
) -> None:
    response = client.get(f"{sites}/form", query_string=inputs)
    arguments = arguments_of(response)
    assert arguments["f"] == "html"
    page = client.get(response.headers["Location"] + "&limit=100").text
    first = ids(client.get(f"{sites}/items?f=html").text)[0]
    assert {number - first for number in ids(page)} == matches
    # the page has what was typed, and sending it again leads to the same address
    again = {name: text for name, text in _Inputs(page).values.items() if name != "limit"}
    expected = arguments_of(client.get(f"{sites}/form", query_string=again))
    assert expected == arguments
    if "filter" not in inputs:
        typed = {name: text for name, text in inputs.items() if name.startswith("text.")}
        assert typed.items() <= again.items()
        assert again["filter"] == ""


@pytest.mark.parametrize("how", ["contains", "is"])
@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_found_and_shown_again(
    client: FlaskClient, layer: Layer, text: str, how: str
) -> None:
    features = [("POINT(1 1)", {"te.x't": other}) for other in TEXTS]
    url = f"/ogc/collections/{layer(features, fields={"te.x't": {'type': 'string'}})}"
    inputs = {"how.te.x't": how, "text.te.x't": text}
    response = client.get(f"{url}/form", query_string=inputs)
    page = client.get(response.headers["Location"]).text
    assert len(ids(page)) == 1
    assert _Inputs(page).values["text.te.x't"] == text
    again = arguments_of(client.get(f"{url}/form", query_string=_Inputs(page).values))
    assert again == arguments_of(response)


def test_a_filter_of_other_conditions_stays_as_it_is(client: FlaskClient, sites: str) -> None:
    for condition in ("depth > 3 OR rank = 1", "rank = 1 AND rank >= 0 AND rank = 1", "name = ''"):
        page = client.get(f"{sites}/items", query_string={"f": "html", "filter": condition}).text
        values = _Inputs(page).values
        assert values["filter"] == condition
        assert arguments_of(client.get(f"{sites}/form", query_string=values))["filter"] == condition


def test_equality_by_name_is_in_the_form(client: FlaskClient, sites: str) -> None:
    page = client.get(f"{sites}/items?f=html&rank=1&name=Site%201&open=false").text
    values = _Inputs(page).values
    assert (values["from.rank"], values["to.rank"], values["is.open"]) == ("1", "1", "false")
    assert (values["how.name"], values["text.name"]) == ("is", "Site 1")
    response = client.get(f"{sites}/form", query_string=values)
    assert len(ids(client.get(response.headers["Location"]).text)) == len(ids(page)) == 1


def test_time_where_the_layer_has_one(client: FlaskClient, layer: Layer) -> None:
    features = [(None, {"since": f"2024-01-0{n}"}) for n in range(1, 7)]
    fields = {"since": FIELDS["since"]}
    url = f"/ogc/collections/{layer(features, fields=fields, time_field='since')}"
    inputs = _Inputs(client.get(f"{url}/items?f=html").text)
    assert (inputs.types["start"], inputs.types["end"]) == ("date", "date")
    assert "from.since" not in inputs.types
    for start, end, expected in (
        ("2024-01-02", "2024-01-03", "2024-01-02/2024-01-03"),
        ("2024-01-02", "2024-01-02", "2024-01-02"),
        ("2024-01-02", "", "2024-01-02/.."),
        ("", "2024-01-02", "../2024-01-02"),
        ("2024-01-02T00:00:00Z", "", "2024-01-02T00:00:00Z/.."),
    ):
        response = client.get(f"{url}/form", query_string={"start": start, "end": end})
        assert arguments_of(response)["datetime"] == expected
        page = client.get(response.headers["Location"]).text
        values = _Inputs(page).values
        assert (values["start"], values["end"]) == (start, end)
        assert _Inputs(page).types["start"] == ("text" if "T" in start else "date")
        assert ids(page)
    refused = client.get(f"{url}/form", query_string={"start": "2024-02-01", "end": "2024-01-01"})
    assert refused.status_code == 400
    assert _Inputs(refused.text).values["start"] == "2024-02-01"
    assert "start" in _Inputs(refused.text).invalid


@pytest.mark.parametrize(
    ("inputs", "invalid", "reason"),
    [
        ({"from.depth": "deep"}, {"from.depth"}, "depth is of type number"),
        ({"from.rank": "1.5", "to.rank": "x"}, {"from.rank", "to.rank"}, "type integer"),
        ({"from.since": "yesterday"}, {"from.since"}, "type date"),
        ({"to.at": "2024-13-01T10:00"}, {"to.at"}, "not a timestamp"),
        ({"is.open": "perhaps"}, set(), "type boolean"),
        ({"bbox": "1,2"}, {"bbox"}, "bbox is four or six numbers"),
        ({"bbox": "1,2,3,4", "bbox-crs": "x"}, set(), "bbox-crs"),
        ({"filter": "depth >"}, {"filter"}, "not CQL2"),
        ({"filter": "{"}, {"filter"}, "not JSON"),
        ({"filter": "colour = 1"}, {"filter"}, "colour"),
        ({"filter": "depth"}, {"filter"}, "takes boolean"),
        ({"sortby": "colour"}, set(), "sortable"),
        ({"limit": "0"}, set(), "limit"),
        ({"text.name": "x" * 3_000}, set(), "characters"),
        ({"from.depth": "9" * 5_000}, {"from.depth"}, "type number"),
    ],
)
def test_a_fault_is_shown_with_what_was_typed(
    client: FlaskClient, sites: str, inputs: dict[str, str], invalid: set[str], reason: str
) -> None:
    typed = {"how.name": "is", "text.name": "<i>", **inputs}
    response = client.get(f"{sites}/form", query_string=typed)
    assert (response.status_code, response.mimetype) == (400, "text/html")
    form = _Inputs(response.text)
    assert form.invalid == invalid
    assert reason in html.unescape(response.text)
    assert {name: form.values.get(name) for name in typed} == typed
    assert "<i>" not in response.text
    assert 'data-bounds="[0.0, 10.0, 25.0, 10.0]"' in html.unescape(response.text).replace(
        "&#34;", '"'
    )


@pytest.mark.parametrize(
    "query", ["bbox=1,2", "depth=deep", "filter=depth+%3E", "limit=0", "colour=red", "after=x"]
)
def test_a_fault_of_the_address_is_shown_at_the_form(
    client: FlaskClient, sites: str, query: str
) -> None:
    response = client.get(f"{sites}/items?f=html&rank=1&{query}")
    assert (response.status_code, response.mimetype) == (400, "text/html")
    name, _, text = query.partition("=")
    if name in {"bbox", "filter"}:
        assert _Inputs(response.text).values[name] == text.replace("+%3E", " >")
    elif name == "depth":
        assert _Inputs(response.text).values["from.depth"] == text
    assert re.search(rf'role="alert"><bdi class="text">[^<]*{name}', response.text)
    assert _Inputs(response.text).values["from.rank"] == "1"
    assert client.get(f"{sites}/items?rank=1&{query}").mimetype == "application/json"


def test_the_form_is_strict(client: FlaskClient, sites: str) -> None:
    for query in (
        "colour=1",
        "from.colour=1",
        "is.name=1",
        "bbox=&bbox=",
        "f=html",
        "text.name=%00",
    ):
        assert client.get(f"{sites}/form?{query}").status_code == 400, query
    assert arguments_of(client.get(f"{sites}/form")) == {"f": "html"}
    assert client.get(f"/ogc/collections/{'x' * 9}/form").status_code == 404


def test_a_private_layers_form_is_not_there_for_others(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person]
) -> None:
    url = f"/ogc/collections/{layer(fields=FIELDS, visibility='private')}/form"
    missing = client.get("/ogc/collections/00000000-0000-0000-0000-000000000001/form")
    for headers in ({}, person("stranger").headers):
        response = client.get(f"{url}?from.depth=1", headers=headers)
        assert (response.status_code, response.json) == (404, missing.json)
    assert client.get(url, headers=person("owner").headers).status_code == 303


def test_headings_sort(client: FlaskClient, sites: str) -> None:
    def heading(page: str, name: str) -> tuple[str | None, str]:
        found = re.search(
            rf'<th scope="col"(?: aria-sort="(\w+)")?>\s*<a href="([^"]*)"[^>]*>'
            rf'<bdi class="text">{name}<',
            page,
        )
        assert found, name
        return found[1], html.unescape(found[2])

    page = client.get(f"{sites}/items?f=html&limit=20&open=true").text
    assert "tags</a>" not in page
    order, address = heading(page, "depth")
    assert order is None
    ascending = client.get(address).text
    order, address = heading(ascending, "depth")
    assert order == "ascending"
    assert 'aria-sort="ascending">Id' not in ascending
    descending = client.get(address).text
    assert heading(descending, "depth")[0] == "descending"
    assert heading(descending, "rank")[0] is None
    assert ids(descending) == ids(ascending)[::-1] == ids(page)[::-1]
    assert len(ids(page)) == 13, "the selection is the same"


SORTS = ("", "rank", "-rank", "name,-depth", "-at,rank", "maybe", "-maybe,rank")


@pytest.mark.parametrize("sortby", SORTS)
@pytest.mark.parametrize("condition", ["", "open=true", "filter=depth+%3C+9", "bbox=2,9,30,11"])
def test_forth_and_back_through_all_pages(
    client: FlaskClient, layer: Layer, sortby: str, condition: str
) -> None:
    """The previous page is the one that was before, in any order and with absent values."""
    features = [
        (
            f"POINT({n} 10)",
            {"name": f"{n % 5}", "depth": n / 2, "rank": n % 3, "open": n % 2 == 0}
            | {"at": f"2024-01-{n % 4 + 1:02}T12:00:00Z"}
            | ({"maybe": n % 4 or None} if n % 3 else {}),
        )
        for n in range(23)
    ]
    fields = {**FIELDS, "maybe": {"type": "integer"}}
    url = f"/ogc/collections/{layer(features, fields=fields)}/items?limit=3&f=html&{condition}"
    address: str | None = f"{url}&sortby={sortby}" if sortby else url
    everything = ids(client.get(str(address).replace("limit=3", "limit=100")).text)
    pages: list[list[int]] = []
    last = ""
    while address:
        last = address
        page = client.get(address).text
        pages.append(ids(page))
        start = 1 + 3 * (len(pages) - 1)
        assert span(page).startswith(f"Feature{'' if len(pages[-1]) == 1 else 's'} {start}")
        assert span(page).endswith(f"of {len(everything)}")
        address = link_to(page, "next")
    assert [number for page in pages for number in page] == everything
    address, back = last, []
    while address and len(back) <= len(pages):
        page = client.get(address).text
        back.append(ids(page))
        if link_to(page, "first"):
            assert ids(client.get(str(link_to(page, "first"))).text) == pages[0]
        address = link_to(page, "prev")
    assert back == pages[::-1]


def test_pages_by_offset(client: FlaskClient, sites: str) -> None:
    page = client.get(f"{sites}/items?f=html&offset=10").text
    assert span(page) == "Features 11–20 of 26"
    following = client.get(str(link_to(page, "next"))).text
    assert span(following) == "Features 21–26 of 26"
    assert link_to(following, "next") is None
    assert ids(client.get(str(link_to(following, "prev"))).text) == ids(page)
    assert span(client.get(str(link_to(page, "prev"))).text) == "Features 1–10 of 26"
    assert span(client.get(f"{sites}/items?f=html&offset=25").text) == "Feature 26 of 26"
    assert span(client.get(f"{sites}/items?f=html&offset=99").text) == "No features here, of 26"
    assert span(client.get(f"{sites}/items?f=html&rank=9").text) == "0 features"
    assert span(client.get(f"{sites}/items?f=html&resulttype=hits").text) == "26 features"


def test_numbers_that_are_not_known(
    empty_database: Engine, sites: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a budget for counting the previous page is found all the same."""
    app = create_app(Settings(_env_file=None, count_budget=0), empty_database)
    client = app.test_client()
    monkeypatch.setattr("samsyn_provider.features.count_statements.MAX_COUNTED", 5)
    url = f"{sites}/items?f=html&limit=5&filter=depth+%3C+11"
    page = client.get(url).text
    assert span(page) == "Features 1–5 of at least 6"
    second = client.get(str(link_to(page, "next"))).text
    assert span(second) == "5 features, after many others"
    third = client.get(str(link_to(second, "next"))).text
    assert ids(client.get(str(link_to(third, "prev"))).text) == ids(second)
    assert ids(client.get(str(link_to(second, "prev"))).text) == ids(page)


def test_more_features_before_than_are_counted(
    client: FlaskClient, sites: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samsyn_provider.features.preceding.MAX_PRECEDING", 12)
    page = client.get(f"{sites}/items?f=html").text
    second = client.get(str(link_to(page, "next"))).text
    assert span(second) == "Features 11–20 of 26"
    third = client.get(str(link_to(second, "next"))).text
    assert span(third) == "6 features of 26, after many others"
    assert ids(client.get(str(link_to(third, "prev"))).text) == ids(second)


def test_page_sizes_keep_the_selection(client: FlaskClient, sites: str) -> None:
    page = client.get(f"{sites}/items?f=html&open=true&limit=10").text
    sizes = re.search(r'class="sizes".*?</nav>', page, re.DOTALL)
    assert sizes
    links = {
        size: html.unescape(href)
        for href, size in re.findall(r'<a href="([^"]*)"[^>]*>(\d+)</a>', sizes[0])
    }
    assert list(links) == ["10", "50", "100", "500"]
    assert len(ids(client.get(links["50"]).text)) == 13
    assert re.search(r'aria-current="true">10<', sizes[0])


def test_downloads_of_the_selection_in_every_format(client: FlaskClient, sites: str) -> None:
    page = client.get(f"{sites}/items?f=html&open=true&limit=10&offset=10").text
    for code, file_format in FORMATS.items():
        found = re.search(rf'<a href="([^"]*)">{re.escape(file_format.title)}</a>', page)
        assert found, code
        query = parse_qs(urlsplit(html.unescape(found[1])).query)
        assert query == {"f": [code], "open": ["true"]}


def test_tiles_of_the_selection(client: FlaskClient, sites: str) -> None:
    """The map's tiles have what the request selects in any box, and no attributes."""
    for query, expected in (
        ("", {"f": ["mvt"], "properties": [""]}),
        (
            "&rank=1&bbox=1,2,3,4",
            {"f": ["mvt"], "properties": [""], "filter": ['"rank" = 1']},
        ),
        (
            "&rank=1&filter=depth+%3E+3+OR+open=true",
            {
                **{"f": ["mvt"], "properties": [""]},
                "filter": ['(depth > 3 OR open=true) AND "rank" = 1'],
            },
        ),
    ):
        page = client.get(f"{sites}/items?f=html{query}").text
        found = re.search(r'data-tiles="([^"]*)"', page)
        assert found
        template = html.unescape(found[1])
        selected = parse_qs(urlsplit(template).query, keep_blank_values=True)
        assert selected.pop("v")
        assert selected == expected
        for name in "zyx":
            template = template.replace(f"{{{name}}}", "0")
        assert client.get(template).status_code in {200, 204}


def test_a_constant_number_of_statements(client: FlaskClient, layer: Layer) -> None:
    """However many features and properties a page has, and wherever it begins."""
    for fields in (None, {f"p{n}": {"type": "integer"} for n in range(60)}):
        counts = []
        for size in (3, 120):
            properties = {f"p{n}": n for n in range(60)}
            layer_id = layer([("POINT(1 1)", properties)] * size, fields=fields)
            url = f"/ogc/collections/{layer_id}/items?f=html&limit={size // 3}&p1=1&sortby=-p2"
            second = link_to(client.get(url).text, "next")
            with statements() as seen:
                assert client.get(str(second)).status_code == 200
            counts.append(len(seen))
        assert counts[0] == counts[1] <= 6, counts


def test_a_page_is_bounded(client: FlaskClient, layer: Layer) -> None:
    """Many properties, long texts and large shapes make no endless page; each is told."""
    text = "long " * 2_000
    shape = "LINESTRING(" + ", ".join(f"{n / 1e5:.5f} {n % 7}" for n in range(60_000)) + ")"
    features = [(shape, {f"p{n:03}": text if n == 0 else n for n in range(300)}) for _ in range(8)]
    url = f"/ogc/collections/{layer(features)}/items?f=html&limit=500"
    page = client.get(url).text
    assert len(page) < 8_000_000
    assert text not in page
    assert "of this page are too large" in page
    drawn = json.loads(re.search(r'id="features">(.*?)</script>', page)[1])  # type: ignore[index]
    assert 0 < len(drawn["features"]) < 8
    many = layer([("POINT(1 1)", {f"p{n:04}": n for n in range(1_500)})] * 100)
    page = client.get(f"/ogc/collections/{many}/items?f=html&limit=100").text
    assert page.count("<td>") <= 25_000
    assert "1,300 more properties" in page


def test_titles_say_where_one_is(client: FlaskClient, sites: str) -> None:
    titles = {
        "/items?f=html&offset=10": "Features 11–20 of 26 · A layer · SamSyn",
        "/items?f=html&bbox=1": "Not selected · A layer · SamSyn",
    }
    for path, title in titles.items():
        found = re.search("<title>(.*?)</title>", client.get(sites + path).text)
        assert found
        assert found[1] == title


def test_the_address_of_a_result_fits_in_its_header(client: FlaskClient, sites: str) -> None:
    for length in (100, 1_500, 1_900, 2_500):
        response = client.get(f"{sites}/form", query_string={"text.name": "x" * length})
        assert response.status_code == (303 if length < 1_800 else 400)
        assert len(response.headers.get("Location", "")) <= MAX_HEADER
