"""Features as tables: the columns of a download, and its rows in batches."""
