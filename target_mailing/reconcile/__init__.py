"""An input compared with what the provider holds."""
