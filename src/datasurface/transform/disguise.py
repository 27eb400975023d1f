"""How one value is disguised: canonical bytes, tokens, keyed hashes, constants, coarser values. Pure.

Values come as texts, as the database writes them in a session with fixed settings: that is exact for every type, for
dates that Python has not too. NULL is None, and stays NULL but for constants.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Callable
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from typing import TypeAlias

from datasurface.errors import ConfigurationError
from datasurface.model import types
from datasurface.model.deidentification import DeIdentification, Generalise, KeyedHash, Redact
from datasurface.model.types import DataType

__all__ = ["Disguise", "canonical", "digest_of", "disguise_of", "keyed_hash", "token_of"]

Disguise: TypeAlias = Callable[[str | None], str | None]
"""Returns what stands in place of a value."""

_FAMILIES: dict[type[DataType], bytes] = {
    types.TinyInt: b"n",
    types.SmallInt: b"n",
    types.Integer: b"n",
    types.BigInt: b"n",
    types.Decimal: b"n",
    types.String: b"t",
    types.FixedString: b"t",
    types.Binary: b"x",
    types.Date: b"d",
    types.Time: b"h",
    types.Uuid: b"u",
}
_SMALLEST: dict[type[DataType], int] = {
    types.TinyInt: -(2**7),
    types.SmallInt: -(2**15),
    types.Integer: -(2**31),
    types.BigInt: -(2**63),
}
_DAY = re.compile(r"(\d{4,})-(\d\d)-(\d\d)(.*)", re.DOTALL)
_CLOCK = re.compile(r" \d\d:\d\d:\d\d(?:\.\d+)?")
_EXACT = Context(prec=2000, rounding=ROUND_FLOOR)
_SHORTEST_KEY = 16


def canonical(text: str, kind: DataType) -> bytes:
    """Return bytes that are equal for equal values of comparable types, and for no others.

    The first byte says what it is, so that 1 and '1' differ; `1`, `1.0` and `1.00` are one number, and the blanks that
    pad a `FixedString` do not count.
    """
    if isinstance(kind, types.Timestamp):
        return (b"z" if kind.tz else b"s") + text.encode()
    family = _FAMILIES[type(kind)]
    if family == b"n":
        return family + _number(text).encode()
    if isinstance(kind, types.FixedString):
        text = text.rstrip(" ")
    return family + text.encode()


def digest_of(domain: str, value: bytes) -> str:
    """Return under which digest the mapping has a canonical value: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(domain.encode() + b"\0" + value).hexdigest()


def token_of(digest: str, nonce: bytes) -> str:
    """Return a token that nobody can tell from a random one who has not `nonce`, which is made for one run and lost."""
    made = hmac.digest(nonce, digest.encode(), "sha256")[:16]
    return f"tok_{base64.b32encode(made).decode().rstrip('=').lower()}"


def keyed_hash(value: bytes, key: bytes, length: int) -> str:
    """Return the first `length` hexadecimal digits of HMAC-SHA-256 (RFC 2104) of a canonical value."""
    return hmac.digest(key, value, "sha256").hex()[:length]


def disguise_of(method: DeIdentification, kind: DataType, key: str | None) -> Disguise:
    """Return what a method other than `Tokenise` does to values of a type.

    Raises:
        ConfigurationError: a hash has no key, or one so short that it could be found out.
    """
    if isinstance(method, KeyedHash):
        return _hash(method, kind, _key_bytes(key))
    if isinstance(method, Redact):
        return _constant(method)
    if isinstance(method, Generalise):
        if method.period is not None:
            return _nullable(lambda text: _beginning(text, method.period or ""))
        if method.prefix is not None:
            return _nullable(lambda text: _start(text, kind, method.prefix or 0))
        width = Decimal(str(method.width))
        return _nullable(lambda text: _lower(text, width, kind))
    raise ConfigurationError(f"{type(method).__name__} disguises nothing")


def _nullable(change: Callable[[str], str]) -> Disguise:
    return lambda text: None if text is None else change(text)


def _hash(method: KeyedHash, kind: DataType, key: bytes) -> Disguise:
    return _nullable(lambda text: keyed_hash(canonical(text, kind), key, method.length))


def _key_bytes(key: str | None) -> bytes:
    if key is None or len(key.encode()) < _SHORTEST_KEY:
        raise ConfigurationError(
            f"the key of the hashes has to have at least {_SHORTEST_KEY} bytes",
            hint="make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
        )
    return key.encode()


def _constant(method: Redact) -> Disguise:
    if method.to is None:
        return lambda _text: None
    constant = str(method.to).lower() if isinstance(method.to, bool) else str(method.to)
    return lambda _text: constant


def _number(text: str) -> str:
    """Return a number in its one shortest spelling; what is none, NaN and the infinities, as it is."""
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _beginning(text: str, period: str) -> str:
    """Return the first day of a period, or the beginning of the day, of a date or timestamp; infinity stays."""
    match = _DAY.fullmatch(text)
    if match is None:
        return text
    year, month, day, rest = match.groups()
    if period == "year":
        month = "01"
    elif period == "quarter":
        month = f"{(int(month) - 1) // 3 * 3 + 1:02}"
    return f"{year}-{month}-{day if period == 'day' else '01'}{_CLOCK.sub(' 00:00:00', rest, count=1)}"


def _start(text: str, kind: DataType, length: int) -> str:
    if isinstance(kind, types.FixedString):
        text = text.rstrip(" ")
    return text[: min(length, max(0, len(text) - 1))]


def _lower(text: str, width: Decimal, kind: DataType) -> str:
    """Return the lower end of a number's range, or the smallest number of its type if that is above it."""
    with localcontext(_EXACT):
        value = Decimal(text)
        if not value.is_finite():
            return text
        lower = (value / width).to_integral_value(ROUND_FLOOR) * width
        return format(max(lower, _smallest(kind)), "f")


def _smallest(kind: DataType) -> Decimal:
    if isinstance(kind, types.Decimal):
        return -(Decimal(10) ** kind.precision - 1).scaleb(-kind.scale)
    return Decimal(_SMALLEST[type(kind)]) if type(kind) in _SMALLEST else Decimal(-math.inf)
