"""What both mock servers share: HTTP answers, and faults on request. For development and tests only."""
