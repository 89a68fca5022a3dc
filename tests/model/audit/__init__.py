"""Tests of the chain over all change sets, and of pruning."""
