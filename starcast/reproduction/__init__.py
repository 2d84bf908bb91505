"""A logged run made again, and compared with what it was."""
