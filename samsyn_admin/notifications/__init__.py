"""Digests of what somebody follows: made, and sent by e-mail or to webhooks."""
