"""`revertrisk demo`: everything on loopback, with a live table."""
