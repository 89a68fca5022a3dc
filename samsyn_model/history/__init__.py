"""What was there before: layers at a moment, and layers that were deleted."""
