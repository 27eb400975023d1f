"""The low-precision floats of machine learning. Names follow the Open Compute Project's OFP8 and MX specifications."""

from __future__ import annotations

from datasurface.model.base import noun
from datasurface.model.types.base import DataType

__all__ = ["FP4E2M1", "FP6E2M3", "FP6E3M2", "FP8E4M3", "FP8E5M2", "FP8E8M0", "BFloat16", "Float16"]


@noun
class Float16(DataType):
    """IEEE 754 binary16."""


@noun
class BFloat16(DataType):
    """The upper half of an IEEE 754 number of 32 bits."""


@noun
class FP8E4M3(DataType):
    """8 bits: 4 of exponent, 3 of mantissa."""


@noun
class FP8E5M2(DataType):
    """8 bits: 5 of exponent, 2 of mantissa."""


@noun
class FP8E8M0(DataType):
    """8 bits of exponent: a power of two, used as a scale."""


@noun
class FP6E2M3(DataType):
    """6 bits: 2 of exponent, 3 of mantissa."""


@noun
class FP6E3M2(DataType):
    """6 bits: 3 of exponent, 2 of mantissa."""


@noun
class FP4E2M1(DataType):
    """4 bits: 2 of exponent, 1 of mantissa."""
