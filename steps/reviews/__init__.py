"""Tables of reviews: find, read, check, clean, split, describe. Polars inside, pandas at the doors."""
