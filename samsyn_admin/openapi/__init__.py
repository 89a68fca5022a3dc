"""The OpenAPI document of the management API."""
