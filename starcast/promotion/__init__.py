"""The gate between challenger and champion, its verdict, and the way back."""
