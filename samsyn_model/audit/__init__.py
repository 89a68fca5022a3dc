"""The chain of digests over all change sets: sealed, told by its heads, verified."""
