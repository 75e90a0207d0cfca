"""PostGrid's streams."""
