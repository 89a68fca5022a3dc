"""The raster tiler: a process of its own, which draws only what this server has signed."""
