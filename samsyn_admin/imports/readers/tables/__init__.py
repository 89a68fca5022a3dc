"""Tables with coordinates: CSV, spreadsheets."""
