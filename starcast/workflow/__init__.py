"""What entry points share: preparing data, a search, a candidate, a fit in its own process."""
