"""The public API under /api/v1/: hosts push accounts, and whoever has a key does what the pages can do."""
