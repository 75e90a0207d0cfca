"""Amazon SES as a destination."""
