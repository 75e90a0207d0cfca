"""Clients of mailing providers, without Singer."""
