"""All modules that import KServe or uvicorn; no other module of the server does."""
