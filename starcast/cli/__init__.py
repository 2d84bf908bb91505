"""The command line: parameters, one-line error messages, Ctrl-C, progress, child processes."""
