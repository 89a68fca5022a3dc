"""pygeoapi as it is used here, and every departure from it."""
