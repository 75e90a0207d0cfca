"""Amazon SES's streams."""
