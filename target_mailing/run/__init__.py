"""One run: its loop, what it remembers, how far it is, and what it says at its end."""
