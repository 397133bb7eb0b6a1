"""What is greater: the order of model versions, and of predictions."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.consumer import version_order

VERSIONS = st.text(alphabet="0123456789.-abz", max_size=12)


@pytest.mark.parametrize(
    "ascending",
    [
        ["revertrisk-events-1", "revertrisk-events-2", "revertrisk-events-9", "revertrisk-events-10"],
        ["1.2", "1.9", "1.10", "2", "2.0", "10"],
        ["2", "2-rc1", "3"],
        ["", "0", "1", "a"],
        ["v6", "v007", "v8"],
        ["9" * 5000, "1" + "0" * 5000],
    ],
    ids=[
        "ours",
        "dotted",
        "longer after its beginning",
        "text after numbers",
        "zeros",
        "no limit to the digits",
    ],
)
def test_numbers_in_model_versions_are_compared_as_numbers(ascending: list[str]) -> None:
    """Version 10 is later than version 9, wherever the number stands."""
    assert all(version_order(one) < version_order(other) for one, other in pairwise(ascending))


@given(st.lists(VERSIONS, max_size=6))
def test_different_versions_are_never_equal(versions: list[str]) -> None:
    """The order is total: leading zeros change nothing but the last decision."""
    assert len({version_order(version) for version in versions}) == len(set(versions))
    backwards = versions[::-1]
    assert sorted(versions, key=version_order) == sorted(backwards, key=version_order)
