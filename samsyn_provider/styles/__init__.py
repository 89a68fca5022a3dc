"""Styles of collections (OGC API Styles): how the web app draws a layer, for other clients."""
