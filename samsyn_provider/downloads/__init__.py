"""Features as files of tables, maps and texts: CSV, GeoPackage, GeoJSON, Excel and others."""
