"""Mailjet as a destination."""
