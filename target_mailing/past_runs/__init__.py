"""The runs that the journal remembers, and the answer to `--history`."""
