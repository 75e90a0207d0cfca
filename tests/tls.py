"""A TLS server with a certificate of the test's choice, which notes what clients send to it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager, suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


class Authority:
    """A certificate authority; `file` holds its own certificate."""

    def __init__(self, folder):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        self._folder = folder
        builder = _builder(self._name, self._name, self._key, starts=-_DAY, ends=_DAY)
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(own, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def certificate(self, *, names=("localhost",), starts=-_DAY, ends=_DAY, self_signed=False):
        """A file with a server's certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        issuer, signing = (subject, key) if self_signed else (self._name, self._key)
        builder = _builder(subject, issuer, key, starts=starts, ends=ends)
        alternatives = [_alternative(name) for name in names]
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
        certificate = (
            builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(signer, critical=False)
            .sign(signing, hashes.SHA256())
        )
        path = self._folder / f"{key.private_numbers().private_value}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path


class TlsServer:
    """Answers each request with the same bytes.

    Attributes:
        port: of localhost.
        connections: made so far.
        received: bytes that clients sent after the handshake.
    """

    def __init__(self, certificate, answer):
        self.connections = 0
        self.received = b""
        self._answer = answer
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):
                connection.settimeout(5)
                with self._context.wrap_socket(connection, server_side=True) as encrypted:
                    self._talk(encrypted)

    def _talk(self, encrypted):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = encrypted.recv(65536)
            self.received += piece
            head += piece
            if not piece:
                return
        encrypted.sendall(self._answer)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@contextmanager
def tls_server(certificate, body=b"{}", status=b"200 OK"):
    head = b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Type: application/json\r\n"
    server = TlsServer(certificate, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    try:
        yield server
    finally:
        server.close()


def _builder(subject, issuer, key, *, starts, ends):
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
    )


def _alternative(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
