"""The checkout's private PostgreSQL: started while anybody uses it."""
