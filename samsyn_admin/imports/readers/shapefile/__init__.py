"""Shapefiles: shapes, their table of attributes, and how its texts are encoded."""
