"""The mock MediaWiki's account of who asked it."""

from mock_mediawiki.request_log import LoggedRequest, RequestLog


def test_names_of_clients_are_bounded() -> None:
    """However many hosts and user agents are sent, all requests are counted in bounded memory."""
    log, connection = RequestLog(), RequestLog()  # any object stands for a connection
    for number in range(3000):
        with log.request(connection, f"agent {number}", LoggedRequest(f"host-{number}", "GET", {})):
            pass
    stats = log.stats()
    assert (stats["requests"], stats["connections"]) == (3000, 1)
    for counts in (stats["hosts"], stats["user_agents"]):
        assert len(counts) == 2001
        assert sum(counts.values()) == 3000
        assert counts["(other)"] == 1000


def test_a_request_whose_connection_has_gone_is_counted() -> None:
    """It is one more request, and no connection."""
    log = RequestLog()
    with log.request(None, "agent", LoggedRequest("host", "GET", {})):
        assert log.stats()["in_flight"] == 1
    assert (log.stats()["requests"], log.stats()["connections"]) == (1, 0)
