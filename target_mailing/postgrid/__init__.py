"""PostGrid as a destination."""
