"""What processes count of their work, for Prometheus."""
