"""The entry points, one file each; nothing imports them."""
