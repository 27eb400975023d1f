"""Testing transformers: the real engine, a real process and the embedded database, over as many cycles as a test likes.

With pytest use the fixture `transformer_bench`, elsewhere `open_bench`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasurface.secrets.base import Secret
    from datasurface.testing.bench import TransformerBench
    from datasurface.testing.cycle import Counts, Cycle
    from datasurface.testing.home import temporary_home
    from datasurface.testing.opening import open_bench
    from datasurface.testing.plugin import BenchFactory

__all__ = ["BenchFactory", "Counts", "Cycle", "Secret", "TransformerBench", "open_bench", "temporary_home"]

_PLACES = {
    "BenchFactory": "datasurface.testing.plugin",
    "Counts": "datasurface.testing.cycle",
    "Cycle": "datasurface.testing.cycle",
    "Secret": "datasurface.secrets.base",
    "TransformerBench": "datasurface.testing.bench",
    "open_bench": "datasurface.testing.opening",
    "temporary_home": "datasurface.testing.home",
}


def __getattr__(name: str) -> object:
    """Import what one asks for: pytest loads this package in every session, also where nobody tests transformers."""
    if name in _PLACES:
        found: object = getattr(import_module(_PLACES[name]), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
