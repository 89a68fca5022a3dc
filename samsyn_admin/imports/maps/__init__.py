"""Maps in GeoPackages, made again."""
