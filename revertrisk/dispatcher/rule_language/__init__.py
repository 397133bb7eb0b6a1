"""The dispatcher's rules, in change-propagation's format."""
