"""Tests of the routes and commands of the chain over all change sets."""
