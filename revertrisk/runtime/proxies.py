"""The proxy that the environment names for an address: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY``, in either case.

For the tools, which reach public hosts from wherever they run. Loopback is never reached through a proxy. A proxy's
address may hold a password: it goes into no log and no error.
"""

import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # it is there


class ProxyError(ValueError):
    """A variable names no proxy that can be used; the text names the variable and never repeats its value."""


def proxy_of(url: str) -> str | None:
    """Return the address of the proxy for a URL, with its credentials, None for none; the lower case wins, as in curl.

    Raises:
        ProxyError: the variable holds something else.

    """
    parts = urlsplit(url)
    proxies = getproxies_environment()
    written = proxies.get(parts.scheme)
    host = parts.hostname or ""
    if not written or _is_loopback(host) or _is_excepted(host, parts.port, proxies):
        return None
    proxy = written if "://" in written else f"http://{written}"
    try:
        named = urlsplit(proxy)
        is_usable = named.scheme in {"http", "https"} and bool(named.hostname) and named.port != 0
    except ValueError:  # not a port
        is_usable = False
    if not is_usable:
        raise ProxyError(f"{parts.scheme.upper()}_PROXY: expected http://HOST:PORT")
    return proxy


def _is_excepted(host: str, port: int | None, proxies: dict[str, str]) -> bool:
    authority = host if port is None else f"{host}:{port}"
    if proxy_bypass_environment(authority, proxies):
        return True
    address = _address(host)
    networks = [_network(each.strip()) for each in proxies.get("no", "").split(",")] if address else []
    return any(network is not None and address in network for network in networks)


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(written: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(written.strip("[]"), strict=False)
    except ValueError:
        return None
