"""The command line: options, commands of their own, exit codes."""
