"""Singer target: contact records to mailing providers."""
