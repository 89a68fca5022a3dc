"""HTTP for both sides: the guard, problem documents, media types, links, bodies."""
