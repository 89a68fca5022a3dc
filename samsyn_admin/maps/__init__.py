"""`/api/v1/maps`: maps, their collaborators and their layers."""
