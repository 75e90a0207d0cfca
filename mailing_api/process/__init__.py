"""The process that a plugin runs in: its configuration, its logging and its standard output."""
