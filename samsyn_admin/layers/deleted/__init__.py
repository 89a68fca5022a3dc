"""Layers that were deleted, and brought back."""
