"""Readers of files, one per format: each layer of a file as batches of features."""
