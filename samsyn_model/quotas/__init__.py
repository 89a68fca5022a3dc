"""How many things of a kind there may be."""
