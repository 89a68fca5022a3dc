"""Tables that are distributed by layer over several servers."""
