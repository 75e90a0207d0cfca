"""From lines of the input to records that are known to be usable."""
