"""What a search tries next, when it stops a trial, and the workers that train."""
