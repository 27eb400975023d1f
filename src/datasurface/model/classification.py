"""Classifications of data. Those of DataSurface are ready made; firms add their own schemes beside them."""

from __future__ import annotations

from dataclasses import field

from datasurface.model.base import Noun, noun

__all__ = [
    "CONFIDENTIAL",
    "CPI",
    "CSI",
    "DEIDENTIFIED",
    "INTERNAL",
    "MNPI",
    "PC1",
    "PC2",
    "PC3",
    "PII",
    "PSEUDONYMISED",
    "PUBLIC",
    "Classification",
    "shown_in_messages",
]


@noun
class Classification(Noun):
    """How sensitive data is.

    Attributes:
        name: As policies and reports name it.
        level: Higher is more sensitive; comparable only within a scheme.
        scheme: Whose classification it is; empty for DataSurface's own.
    """

    name: str = field(kw_only=False)
    level: int = 0
    scheme: str = ""


_HARMLESS = 1
"""The highest level of DataSurface's own scheme whose values may stand in messages: INTERNAL."""


def shown_in_messages(*classifications: Classification) -> bool:
    """Tell whether values so classified may stand in logs and reasons; of other schemes only level 0 may."""
    return all(c.level <= (0 if c.scheme else _HARMLESS) for c in classifications)


PUBLIC = Classification("PUBLIC", level=0)
INTERNAL = Classification("INTERNAL", level=1)
DEIDENTIFIED = Classification("DEIDENTIFIED", level=1)
"""What `deidentified` redacted or generalised."""
CONFIDENTIAL = Classification("CONFIDENTIAL", level=2)
PSEUDONYMISED = Classification("PSEUDONYMISED", level=2)
"""What `deidentified` put a token or a hash in place of: who has the mapping or the key can tell whose it is."""
PII = Classification("PII", level=3)
PC1 = Classification("PC1", level=3)
PC2 = Classification("PC2", level=4)
PC3 = Classification("PC3", level=5)
CPI = Classification("CPI", level=3)
CSI = Classification("CSI", level=4)
MNPI = Classification("MNPI", level=5)
