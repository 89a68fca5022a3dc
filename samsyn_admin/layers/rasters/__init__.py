"""Layers that are drawn from files of ours: their addresses, their files, their tiles."""
