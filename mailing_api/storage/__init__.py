"""Where something is kept on this machine or in a database: folders, locks, PostgreSQL."""
