"""The entry points, one file each: they are run, and imported by nothing."""
