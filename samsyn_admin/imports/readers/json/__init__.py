"""Files of JSON: which format they have, and the reading of those that are no GeoJSON."""
