"""Labels edits as reverted or not, from later edits in recorded page_change events or in an export."""
