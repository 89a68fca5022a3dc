"""Query parameters, parsed strictly, and the SQL conditions that they become."""
