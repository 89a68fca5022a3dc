"""What both sides share of HTTP: the guard, problems, media types, links, bodies."""
