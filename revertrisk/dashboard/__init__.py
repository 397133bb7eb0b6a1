"""The dashboard: a page with the edits to look at now, from the streams, and charts of the lake."""
