"""`/api/v1/comments`: comments on maps, layers and features."""
