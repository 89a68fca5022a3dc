"""The formats of files: how each is written."""
