"""The tables, with every rule that needs no trigger."""
