"""The secret key that turns user names into actor keys. It is kept outside the lake, so the lake names no user."""

import hmac
import ipaddress
import os
import secrets
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Final

from revertrisk.lake.errors import LakeConfigurationError
from revertrisk.lake.storage import is_remote

KEY_FILE_VARIABLE: Final = "LAKE_KEY_FILE"
_KEY_BYTES: Final = 32
_READABLE_BY_OTHERS: Final = 0o007


class ActorKeys:
    """Computes the keyed hashes of one lake."""

    def __init__(self, secret: bytes) -> None:
        # A copy takes half as long as to begin anew with the secret.
        self._begun = hmac.new(secret, digestmod="sha256")

    def of(self, wiki_id: str, name: str) -> str:
        """Return the key of a user of a wiki: 64 hexadecimal digits.

        Names are normalised to Unicode NFC, IP addresses to their canonical form. A renamed user gets another key.
        """
        return self._hash(f"{wiki_id}\0{_canonical(name)}")

    def erased(self, what: str, name: str) -> str:
        """Return the keyed hash by which a lake records that something was erased; ``what`` is its kind."""
        return self._hash(f"revertrisk erased\0{what}\0{name}")

    def check_value(self, lake_id: str) -> str:
        """Return a keyed hash by which a lake recognises its key; the key cannot be derived from it."""
        return self._hash(f"revertrisk lake\0{lake_id}")[:32]

    def _hash(self, text: str) -> str:
        hashing = self._begun.copy()
        hashing.update(text.encode())
        return hashing.hexdigest()


def as_user_name(written: str) -> str:
    """Return a user name as MediaWiki stores it: no spaces around it, single spaces inside, a capital first letter.

    An imported name (``en>example``) keeps its first letter.
    """
    name = " ".join(written.replace("_", " ").split())
    # title() and not upper(): MediaWiki does not use the capital letters of Georgian.
    first = name[:1].title()
    return name if ">" in name or len(first) != 1 else first + name[1:]


def _canonical(name: str) -> str:
    if "." in name or ":" in name:  # as every IP address has; to parse other names takes longer than the hash
        with suppress(ValueError):
            return str(ipaddress.ip_address(name))
    return unicodedata.normalize("NFC", name)


def key_path(lake_id: str, written: str | None) -> Path:
    """Return the path of a lake's key: ``written`` (from ``LAKE_KEY_FILE``), or one in the user's data folder."""
    if written:
        return Path(written)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "revertrisk" / "lake-keys" / lake_id


def make_key(path: Path, lake: str) -> ActorKeys:
    """Read the key in a file, or create the file with a new key and mode 600.

    Raises:
        LakeConfigurationError: the file is in the lake's folder, has no valid key, or cannot be written.

    """
    _refuse_inside(path, lake)
    if path.exists():
        return _read(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
    except FileExistsError:  # another writer of the same new lake
        return _read(path)
    except OSError as exc:
        raise LakeConfigurationError(f"{path}: the lake's key cannot be written: {exc.strerror}") from exc
    return _read(path)


def read_key(path: Path, lake: str, lake_id: str, check_value: str) -> ActorKeys:
    """Read the key of an existing lake.

    Raises:
        LakeConfigurationError: the key is missing, in the lake's folder, readable by every user, or of another lake.

    """
    _refuse_inside(path, lake)
    if not path.exists():
        raise LakeConfigurationError(
            f"{path}: the key of the lake {lake} is missing; set {KEY_FILE_VARIABLE} to its file"
        )
    keys = _read(path)
    if not hmac.compare_digest(keys.check_value(lake_id), check_value):
        raise LakeConfigurationError(
            f"{path}: this is the key of another lake, not of {lake}; set {KEY_FILE_VARIABLE} to the right file"
        )
    return keys


def _read(path: Path) -> ActorKeys:
    try:
        mode = path.stat().st_mode
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as exc:
        raise LakeConfigurationError(f"{path}: the lake's key cannot be read: {exc.strerror}") from exc
    except ValueError:
        secret = b""
    if len(secret) != _KEY_BYTES:
        raise LakeConfigurationError(f"{path}: expected a key of {2 * _KEY_BYTES} hexadecimal digits")
    if mode & _READABLE_BY_OTHERS:
        raise LakeConfigurationError(f"{path}: every user can read the lake's key; use chmod 600")
    return ActorKeys(secret)


def _refuse_inside(path: Path, lake: str) -> None:
    if not is_remote(lake) and path.resolve().is_relative_to(Path(lake).resolve()):
        raise LakeConfigurationError(f"{path}: the lake's key must not be in the lake's own folder {lake}")
