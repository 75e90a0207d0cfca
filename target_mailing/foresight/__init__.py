"""What a delivery would do, instead of doing it."""
