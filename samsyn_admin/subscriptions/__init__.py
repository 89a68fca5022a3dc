"""`/api/v1/subscriptions`: the maps and threads that the caller is told of."""
