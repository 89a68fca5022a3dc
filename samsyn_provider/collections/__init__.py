"""Layers as collections: looked up, listed, described."""
