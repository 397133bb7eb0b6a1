"""What both mocks are made of: answers over HTTP, and faults on demand. For development and tests only."""
