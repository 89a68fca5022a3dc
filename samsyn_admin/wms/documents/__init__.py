"""The documents of web map servers, parsed within bounds: nothing of them is passed on raw."""
