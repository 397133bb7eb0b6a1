"""The KServe model server: receive, resolve, fetch, score, build, emit."""
