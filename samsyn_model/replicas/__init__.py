"""Read replicas: whether one may be read, and what was written that it has not replayed yet."""
