"""Subscriptions: which have something to be told, what it is, how far the telling is."""
