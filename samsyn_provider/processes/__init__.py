"""Long work as OGC API Processes, and its jobs."""
