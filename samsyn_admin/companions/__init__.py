"""Processes that `samsyn serve` has beside its workers: begun, begun again, and stopped."""
