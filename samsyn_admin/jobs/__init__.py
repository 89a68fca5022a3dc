"""Jobs: the worker that runs them, and `/api/v1/jobs`."""
