"""The HTML page that shows a diff."""
