"""Responses and tiles cached by the tags of what they are made from."""
