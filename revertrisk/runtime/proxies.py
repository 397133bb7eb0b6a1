"""The proxy for an address, from ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``, in upper or lower case.

The tools use it, since they send requests to public hosts from any network. Loopback is never reached through a proxy.
A proxy's address can contain a password, so it is never logged or put into an error.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

_PORT: Final = re.compile(r":[0-9]{1,5}$")


class ProxyError(ValueError):
    """The proxy in a variable is invalid; the message names the variable and never repeats its value."""


def proxy_of(url: str) -> str | None:
    """Return the address of the proxy for a URL, with its credentials, or None.

    As in curl, a variable in lower case overrides the one in upper case.

    Raises:
        ProxyError: the variable's value is not a proxy's address.

    """
    parts = urlsplit(url)
    proxies = getproxies_environment()
    written = proxies.get(parts.scheme)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not written or _is_loopback(host) or _is_excepted(host, port, proxies.get("no", "")):
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


def _is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Return whether NO_PROXY includes a host, in the forms that curl and Go accept.

    ``*`` is every host. ``example.org``, ``.example.org`` and ``*.example.org`` are that domain and its subdomains;
    ``example.org:443`` only with this port. An address or a network such as ``10.0.0.0/8`` is also accepted. Commas or
    spaces separate them.
    """
    address = _address(host)
    for each in exceptions.replace(",", " ").lower().split():
        network = _network(each)
        if network is not None:
            if address is not None and address in network:
                return True
            continue
        named, _, only_port = each.rpartition(":") if _PORT.search(each) else (each, "", "")
        named = named.strip("[]").removeprefix("*.").strip(".")
        is_named = named == "*" or (named and f".{host}".endswith(f".{named}"))
        if is_named and only_port in {"", str(port)}:
            return True
    return False


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network(written: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(written.strip("[]"), strict=False)
    except ValueError:
        return None
