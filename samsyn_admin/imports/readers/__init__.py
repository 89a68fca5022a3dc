"""Readers of files, one a format: each layer of a file as batches of features."""
