"""Singer tap: mailing providers to records."""
