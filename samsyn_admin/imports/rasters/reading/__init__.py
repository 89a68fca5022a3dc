"""Files of rasters as GDAL reads them: which there are, what they are, their values."""
