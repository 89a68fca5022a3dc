"""Importing tables with coordinates."""
