"""Coordinate reference systems, boxes and intervals of time."""
