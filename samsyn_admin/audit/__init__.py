"""What anybody may note of the chain over all change sets."""
