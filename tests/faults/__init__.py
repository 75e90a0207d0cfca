"""The guarantee of delivery, proven under every fault at every boundary of every step of every route."""
