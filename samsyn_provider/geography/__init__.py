"""Coordinate reference systems and boxes."""
