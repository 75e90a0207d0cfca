"""One page for each run: what it did, in HTML and in Markdown."""
