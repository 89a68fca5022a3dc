"""Requests to other servers on somebody's behalf: no other module makes any."""
