"""Sizes of memory as people write them: `512M`, `2Gi`."""

from __future__ import annotations

import re

from datasurface.errors import ConfigurationError

__all__ = ["bytes_of"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\Z", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def bytes_of(text: str) -> int:
    """Return a size in bytes; `Ki` counts 1024, `K` 1000, as Kubernetes does.

    Raises:
        ConfigurationError: the text is no size.
    """
    match = _SIZE.match(text.strip())
    if match is None:
        raise ConfigurationError(f"{text!r} is no size of memory", hint='write it as "512Mi" or "2G"')
    unit = 1024 if match[3] else 1000
    return int(float(match[1]) * unit ** _POWERS[match[2].lower()])
