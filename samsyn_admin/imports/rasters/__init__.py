"""GeoTIFF, NetCDF and ASCII grids: looked at, converted, and made layers."""
