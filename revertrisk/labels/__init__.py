"""Labels from what happened next: recorded page_change events, or the edits of an export, as labelled edits."""
