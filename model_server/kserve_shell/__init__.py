"""Everything that imports KServe or uvicorn; nothing below it imports any of it."""
