"""Web map servers (WMS) of others: their capabilities, and what they say of a place."""
