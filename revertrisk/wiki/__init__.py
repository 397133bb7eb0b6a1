"""Knowledge about wikis: the table of wikis, revisions in answers of their API, and their exports."""
