"""Versions of features: the OGC draft "Versioned Features", mapped to the history of layers."""
