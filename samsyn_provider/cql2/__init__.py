"""CQL2 filters: text or JSON, checked, as SQL conditions."""
