"""gunicorn: its settings, its worker, its access log."""
