"""Code that both mock servers share: HTTP answers, and fault injection. For development and tests only."""
