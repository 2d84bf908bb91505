"""A file becomes checked, cleaned, split reviews."""
