"""What our programs say of themselves."""

from importlib.metadata import version

from revertrisk.runtime.headers import PROJECT_URL, user_agent


def test_a_contact_is_whoever_runs_the_program() -> None:
    """In Wikimedia's form: the program, its version, and whom to write to."""
    agent = user_agent("a-program", "ops@example.org")
    assert agent == f"a-program/{version('revertrisk-events')} (ops@example.org)"


def test_no_contact_is_made_up() -> None:
    """Where nobody gave one, the project's URL says what this is."""
    assert user_agent("a-program").endswith(f" ({PROJECT_URL})")
