"""Parameters read and checked, a mistake in one line, Ctrl-C, progress, child processes."""
