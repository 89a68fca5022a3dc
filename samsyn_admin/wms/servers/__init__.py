"""The list of web map servers that everybody may choose from."""
