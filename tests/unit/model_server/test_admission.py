"""Places are counted, given back, and not all given to one wiki."""

from contextlib import ExitStack

import pytest

from model_server.admission import Admission
from model_server.errors import OverloadedError


def test_one_too_many_is_refused_until_one_leaves() -> None:
    """The bound is on what is inside, not on what has come."""
    admission = Admission(2, 2)
    with ExitStack() as stack:
        stack.enter_context(admission.request())
        with admission.request(), pytest.raises(OverloadedError), admission.request():
            pass
        stack.enter_context(admission.request())


def test_one_wiki_gets_only_its_places() -> None:
    """A wiki that hangs leaves the rest to the others."""
    admission = Admission(4, 2)
    with (
        admission.wiki("enwiki"),
        admission.wiki("enwiki"),
        pytest.raises(OverloadedError),
        admission.wiki("enwiki"),
    ):
        pass
    with admission.wiki("enwiki"), admission.wiki("dewiki"):
        pass


def test_a_failed_request_gives_its_place_back() -> None:
    """Whatever happens inside."""
    admission = Admission(1, 1)
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"), admission.request(), admission.wiki("enwiki"):
            raise ValueError("inside")
