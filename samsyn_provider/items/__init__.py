"""The views of features: read, searched, created, replaced, updated, deleted."""
