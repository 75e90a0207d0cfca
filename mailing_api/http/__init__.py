"""Requests to providers: the client, and everything between it and the network."""
