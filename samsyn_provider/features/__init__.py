"""Features as PostgreSQL writes them: statements, and pygeoapi's provider over them."""
