"""The demo plan."""
