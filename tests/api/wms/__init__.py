"""Web map servers by way of the server."""
