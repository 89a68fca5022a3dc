"""`/api/v1/layers`: the layer library."""
