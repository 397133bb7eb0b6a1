"""The page over the streams and the lake: which edits to look at now, and how it goes."""
