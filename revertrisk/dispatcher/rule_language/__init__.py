"""The rules that a dispatcher follows, in change-propagation's vocabulary."""
