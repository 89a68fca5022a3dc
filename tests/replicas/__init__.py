"""A server whose reads go to a replica: real streaming replication, of clusters of its own."""
