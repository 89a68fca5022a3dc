"""Tiles of Global Fishing Watch, whose token stays on the server."""
