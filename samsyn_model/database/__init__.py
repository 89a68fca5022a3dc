"""The engine, its transactions, the one function that runs statements, and migrations."""
