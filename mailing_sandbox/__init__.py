"""Local emulators of mailing providers, with fault injection."""
