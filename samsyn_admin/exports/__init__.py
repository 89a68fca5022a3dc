"""Maps and layers as files, written by jobs."""
