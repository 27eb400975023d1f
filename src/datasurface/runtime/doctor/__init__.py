"""What `datasurface doctor` looks at, from where the jobs would run: machine, model, secrets and containers."""

from __future__ import annotations

from datasurface.runtime.doctor.check import Check, Verdict
from datasurface.runtime.doctor.examine import examine
from datasurface.runtime.doctor.pod import examine_pod

__all__ = ["Check", "Verdict", "examine", "examine_pod"]
