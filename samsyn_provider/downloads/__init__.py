"""Features as files: CSV, Excel, FlatGeobuf, GeoJSON, GeoPackage, GeoParquet, KML, JSON-FG, Shapefile."""
