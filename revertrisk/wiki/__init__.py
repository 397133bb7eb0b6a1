"""What is known of wikis: their table, what their API says of revisions, their exports."""
