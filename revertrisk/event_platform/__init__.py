"""Wikimedia's event platform as a library: schemas, reading page_change events, building and sending predictions."""
