"""After the fact: replay what was given up, and find what is missing."""
