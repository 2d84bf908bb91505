"""Promotion: checks of the challenger against the champion, the verdict, and rollback."""
