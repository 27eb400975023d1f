"""SCRAM verifiers (RFC 5802, RFC 7677), computed where the password is made: the server never sees the password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

__all__ = ["new_password", "verifier"]

_ITERATIONS = 4096
_SALT_BYTES = 16
_PASSWORD_BYTES = 24


def new_password() -> str:
    """Return a random password of 192 bits, in characters that SASLprep leaves as they are."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def verifier(password: str, salt: bytes | None = None) -> str:
    """Return what PostgreSQL keeps of an ASCII password: `SCRAM-SHA-256$4096:salt$StoredKey:ServerKey`."""
    salt = secrets.token_bytes(_SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    return f"SCRAM-SHA-256${_ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(_hmac(salted, b'Server Key'))}"


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
