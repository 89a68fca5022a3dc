"""Who makes a request: API tokens, Clerk sessions and events, accounts."""
