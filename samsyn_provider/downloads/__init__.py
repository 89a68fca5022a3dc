"""Features as files: CSV, FlatGeobuf, GeoPackage, GeoParquet, KML, JSON-FG, text sequences."""
