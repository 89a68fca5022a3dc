"""Features: geometries checked, features written, matched, and copied in bulk."""
