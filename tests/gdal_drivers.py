"""GDAL's other drivers, for what tests read and write beside the formats of the server."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyogrio
from pyogrio.core import _register_drivers

from samsyn_provider.geography.gdal import DRIVERS


@contextmanager
def every_driver() -> Iterator[None]:
    """Register all drivers of GDAL, which `samsyn_provider.geography.gdal` unregisters."""
    others = pyogrio.get_gdal_config_option("GDAL_SKIP")
    pyogrio.set_gdal_config_options({"GDAL_SKIP": None})
    _register_drivers()
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"GDAL_SKIP": others})
        _register_drivers()
        assert pyogrio.list_drivers().keys() == DRIVERS
