"""TLS and SASL in front of the mock brokers, which speak neither: a proxy that ends both, and its certificates."""

import asyncio
import ipaddress
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
_API_VERSIONS, _SASL_HANDSHAKE = b"\x00\x12", b"\x00\x11"
"""The numbers of Kafka's requests, which their frames begin with."""


class Authority:
    """Issues certificates; what it writes is called after the name on them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority")
        certificate = self._sign("authority", self._key.public_key(), is_authority=True)
        self.certificate = self._write("authority.pem", certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, password: str | None = None) -> tuple[Path, Path]:
        """Write a certificate for the loopback address, and its key, which may have a password."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key.public_key(), is_authority=False)
        hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password is not None:
            hidden = serialization.BestAvailableEncryption(password.encode())
        return (
            self._write(f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM)),
            self._write(
                f"{name}.key",
                key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden),
            ),
        )

    def _sign(self, name: str, key: ec.EllipticCurvePublicKey, *, is_authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass
class TlsProxy:
    """Ends TLS, asks for SASL PLAIN if it was given a password, and passes the rest on to the broker."""

    broker: int
    token: bytes | None
    port: int = 0
    clients: set[str] = field(default_factory=set)
    """The names on the certificates of those who have got through."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broker_reader, broker_writer = await asyncio.open_connection(HOST, self.broker)
        questions: set[bytes] = set()
        answering = asyncio.ensure_future(self._pass_answers(broker_reader, writer, questions))
        with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            is_known = self.token is None or await self._authenticated(
                reader, broker_writer, writer, questions
            )
            if is_known:
                certificate = writer.get_extra_info("peercert") or {}
                self.clients |= {value for ((_, value),) in certificate.get("subject", ())}
                while True:
                    _send(broker_writer, await _frame(reader))
        answering.cancel()
        broker_writer.close()
        writer.close()

    async def _authenticated(
        self,
        reader: asyncio.StreamReader,
        broker: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
        questions: set[bytes],
    ) -> bool:
        """Lead the conversation of SASL: versions, handshake, token."""
        while True:
            frame = await _frame(reader)
            api, correlation = frame[:2], frame[4:8]
            if api == _API_VERSIONS:
                questions.add(correlation)
                _send(broker, frame)
            elif api == _SASL_HANDSHAKE:
                _send(client, correlation + struct.pack(">hih5s", 0, 1, 5, b"PLAIN"))
                is_right = await _frame(reader) == self.token
                if is_right:
                    _send(client, b"")
                return is_right
            else:
                return False

    async def _pass_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, questions: set[bytes]
    ) -> None:
        """Pass answers on; where they name the broker's address they name the proxy's, and versions name SASL too."""
        theirs, ours = (HOST.encode() + struct.pack(">i", port) for port in (self.broker, self.port))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                frame = (await _frame(reader)).replace(theirs, ours)
                if frame[:4] in questions and frame[4:6] == b"\0\0":
                    (count,) = struct.unpack(">i", frame[6:10])
                    frame = frame[:6] + struct.pack(">i", count + 1) + _SASL_HANDSHAKE + bytes(4) + frame[10:]
                _send(writer, frame)


def _send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(struct.pack(">i", len(frame)) + frame)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(length)


@asynccontextmanager
async def tls_in_front_of(
    brokers: str, authority: Authority, *, user: str | None = None, password: str | None = None
) -> AsyncIterator[TlsProxy]:
    """Run a proxy that wants a certificate of the authority from its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("broker"))
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    token = None if user is None else f"\0{user}\0{password}".encode()
    proxy = TlsProxy(int(brokers.rpartition(":")[2]), token)
    server = await asyncio.start_server(proxy.serve, HOST, 0, ssl=context)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
