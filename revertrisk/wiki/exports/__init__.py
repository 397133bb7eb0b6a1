"""XML exports of wikis."""
