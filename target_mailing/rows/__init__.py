"""Rows of the input: their lines, their contacts on their way, and how they can end."""
