"""What the streams of all providers share."""
