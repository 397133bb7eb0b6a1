"""The KServe model server. A request takes six steps: receive, resolve, fetch, score, build, emit."""
