"""What event streams are told of: notices of changes, who may read them, who has a map open."""
