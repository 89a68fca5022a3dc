"""Each departure from pygeoapi is still necessary: a failure here means that upstream has fixed
something, and that the departure in `samsyn_provider/upstream/deviations.py` can go."""

import subprocess
import sys

import pygeoapi.util
from pygeoapi.api import CONFORMANCE_CLASSES, APIRequest
from pygeoapi.api.itemtypes import CONFORMANCE_CLASSES_FEATURES

from samsyn_provider.upstream.deviations import DocumentRequest


def _upstream(code: str) -> str:
    """Run code in a Python process without the replacements."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_upstream_still_corrupts_angle_brackets() -> None:
    assert pygeoapi.util.to_json({"a": "<"}) == '{"a":"&lt;"}'


def test_upstream_still_makes_a_crs_for_each_request() -> None:
    code = (
        "from pygeoapi.crs import get_crs, DEFAULT_CRS;"
        "print(get_crs(DEFAULT_CRS) is get_crs(DEFAULT_CRS))"
    )
    assert _upstream(code) == "False"


def test_upstream_still_looks_for_a_provider_at_every_request() -> None:
    code = (
        "import logging; from pygeoapi import plugin; lines = [];"
        "plugin.LOGGER.debug = lines.append;"
        "one = lambda: plugin.load_plugin('provider', {'name': 'builtins.dict'}); one(); one();"
        "print(len([line for line in lines if line.startswith('Plugins: ')]))"
    )
    assert _upstream(code) == "2"


def test_upstream_still_builds_a_grammar_that_nothing_uses() -> None:
    parser = "'pygeofilter.parsers.cql2_text' in sys.modules"
    assert _upstream(f"import sys, pygeoapi.api.itemtypes; print({parser})") == "True"
    assert _upstream(f"import sys, samsyn_admin.app; print({parser})") == "False"


def test_upstream_still_offers_its_csv_formatter_everywhere() -> None:
    assert "CSV" in _upstream(
        "from pygeoapi.plugin import PLUGINS; print(list(PLUGINS['formatter']))"
    )


def test_upstream_still_takes_three_coordinates_for_two() -> None:
    code = (
        "from pygeoapi.crs import transform_bbox, DEFAULT_CRS\n"
        "print(len(transform_bbox([0, 0, 0, 1, 1, 1], DEFAULT_CRS,"
        " 'http://www.opengis.net/def/crs/EPSG/0/3857')))"
    )
    assert _upstream(code) != "6"


def test_upstream_still_declares_what_its_own_providers_do() -> None:
    declared = {*CONFORMANCE_CLASSES, *CONFORMANCE_CLASSES_FEATURES}
    assert not any("features-5" in uri for uri in declared)
    assert any("cql2" in uri for uri in declared)


def test_our_request_is_one_of_upstream() -> None:
    request = DocumentRequest()
    assert isinstance(request, APIRequest)
    assert request.is_valid()
    assert request.get_response_headers()["Content-Type"] == "application/json"
