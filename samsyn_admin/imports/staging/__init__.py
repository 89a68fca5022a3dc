"""Features of a file in a temporary table, before they go into a layer that exists."""
