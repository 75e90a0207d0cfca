"""Change detection: what is new, changed or gone since the last run."""
