"""Layers of files to import, whatever their format."""
