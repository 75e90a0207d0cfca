"""Records: their columns, and their way out."""
