"""Mailjet's streams."""
