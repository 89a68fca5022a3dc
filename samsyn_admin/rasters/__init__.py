"""Pictures and values of GeoTIFFs, which the raster tiler makes and the server keeps."""
