"""Erases what the target holds of one person."""
