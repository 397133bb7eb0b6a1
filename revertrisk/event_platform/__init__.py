"""Wikimedia's event platform as a library: schemas, wikis, page_change events in, prediction events out."""
