"""Connections of clients: what arrives of a request, what is still to be sent of a response."""
