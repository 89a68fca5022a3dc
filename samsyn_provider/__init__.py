"""The OGC API side: layers as collections, over pygeoapi."""
