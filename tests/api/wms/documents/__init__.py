"""The documents of web map servers."""
