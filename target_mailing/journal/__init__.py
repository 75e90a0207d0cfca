"""The journal, which is the target's memory, and the rejects file."""
