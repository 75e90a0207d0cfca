"""What the target asks of a provider, and what a provider may offer: accounts, destinations, steps."""
