"""The target's settings: declared as data, read, and resolved for each stream."""
