"""U5: which proxy the environment names for an address."""

import pytest

from revertrisk.runtime.proxies import ProxyError, proxy_of

STREAM = "https://stream.wikimedia.org/v2/stream/x"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, STREAM, None),
        ({"HTTPS_PROXY": "http://p:3128"}, STREAM, "http://p:3128"),
        ({"https_proxy": "http://p:3128"}, STREAM, "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128", "https_proxy": "http://q:3128"}, STREAM, "http://q:3128"),
        ({"HTTPS_PROXY": "http://p:3128", "https_proxy": ""}, STREAM, None),
        ({"HTTPS_PROXY": "http://u:secret@p:3128"}, STREAM, "http://u:secret@p:3128"),
        ({"HTTPS_PROXY": "p:3128"}, STREAM, "http://p:3128"),
        ({"HTTPS_PROXY": ""}, STREAM, None),
        ({"HTTP_PROXY": "http://p:3128"}, STREAM, None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://mw-api-int:80/w", "http://p:3128"),
        *(
            ({"HTTPS_PROXY": "http://p:3128", name: excepted}, STREAM, None)
            for name in ("NO_PROXY", "no_proxy")
            for excepted in ("*", "wikimedia.org", ".wikimedia.org", "x, stream.wikimedia.org")
        ),
        ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "media.org,wikimedia.or"}, STREAM, "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128", "NO_PROXY": "a:81"}, "http://a:80/", "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128", "NO_PROXY": "a:81"}, "http://a:81/", None),
        ({"HTTP_PROXY": "http://p:3128", "NO_PROXY": "10.0.0.0/8"}, "http://10.1.2.3/", None),
        ({"HTTP_PROXY": "http://p:3128", "NO_PROXY": "10.0.0.0/8"}, "http://11.1.2.3/", "http://p:3128"),
        *(
            ({"HTTP_PROXY": "http://p:3128"}, f"http://{host}:8080/", None)
            for host in ("localhost", "127.0.0.1", "127.1.2.3", "[::1]", "a.localhost")
        ),
    ],
)
def test_u5_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    """U5: in either case, the lower one first; never for loopback, nor for what NO_PROXY names."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of(url) == proxy


@pytest.mark.parametrize("wrong", ["socks5://u:secret@p:1080", "http://", "http://p:secret", "http://p:0"])
def test_u5_what_is_no_proxy_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """U5: the variable's name is enough to find it, and its value may hold a password."""
    monkeypatch.setenv("https_proxy", wrong)
    with pytest.raises(ProxyError, match=r"^HTTPS_PROXY: expected http://HOST:PORT$"):
        proxy_of(STREAM)
