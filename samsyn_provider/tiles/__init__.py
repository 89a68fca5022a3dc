"""Vector tiles of a collection or a map."""
