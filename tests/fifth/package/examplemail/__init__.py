"""Example Mail, an invented provider: a package of its own beside tap-mailing and target-mailing."""
