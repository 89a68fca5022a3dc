"""Tests of comments as collections."""
