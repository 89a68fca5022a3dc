"""The benchmark: SamSyn beside other servers of the same data, and beside PostgreSQL alone."""
