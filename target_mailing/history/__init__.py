"""The outcome of every row, in a file for each run."""
