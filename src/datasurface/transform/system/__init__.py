"""Code of DataSurface itself that derives data: what it is given, and how it is found by name."""

from datasurface.transform.system.base import SystemFunction, SystemRun, system_function

__all__ = ["SystemFunction", "SystemRun", "system_function"]
