"""Responses and tiles cached by entity tag."""
