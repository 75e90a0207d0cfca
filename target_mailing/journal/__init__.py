"""The journal: what the target remembers, and the rejects file."""
