"""Where the geometry of a table is, and how its texts are read."""
