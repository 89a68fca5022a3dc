"""`/api/v1/users` and `/tokens`, and Clerk's webhook."""
