"""Jobs: their rows, and the queue that workers take them from."""
