"""What a file holds goes into layers, or is taken out again."""
