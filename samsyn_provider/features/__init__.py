"""Features as PostgreSQL serializes them: statements, and pygeoapi's provider over them."""
