"""What the resources of the management API share: bodies, responses, pagination, CORS."""
