"""The model repository: one model, loaded before the server starts, and never loaded or unloaded over the wire."""

from kserve.model_repository import ModelRepository

from model_server.lifecycle import Lifecycle


class SealedRepository(ModelRepository):  # type: ignore[misc]  # kserve ships no types
    """Keeps its model to the end: an unload would turn every later event into a final 404.

    KServe unloads everything on a signal, before requests in flight are done; that changes nothing here.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        super().__init__()
        self._lifecycle = lifecycle

    def unload(self, name: str) -> None:
        """Raise KeyError, which callers are told as "not found"; do nothing while the server shuts down."""
        if not self._lifecycle.draining:
            raise KeyError(name)

    def load(self, name: str) -> bool:
        """Raise KeyError, as for a model that is not there."""
        raise KeyError(name)
