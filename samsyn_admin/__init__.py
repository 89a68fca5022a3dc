"""The Flask application: management API, start page and command line."""
