"""Poolers between this server and PostgreSQL: what they keep of a session."""
