"""Request bodies, responses, pagination and CORS of the management API."""
