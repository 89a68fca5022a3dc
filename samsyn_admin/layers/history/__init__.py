"""Features of a layer put back to what they were."""
