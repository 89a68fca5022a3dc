"""Fixtures of the management API's tests: those of the OGC tests."""

from tests.ogc.conftest import app, client, layer, person

__all__ = ["app", "client", "layer", "person"]
