"""Faults that a test injects into a transformer, at a stage of it: what `faults.json` of the model folder says."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

FILE = Path(__file__).parents[1] / "faults.json"


def fault(transformer: str, stage: str) -> None:
    """Do what was asked for at this stage, if anything was."""
    asked = json.loads(FILE.read_text()) if FILE.exists() else {}
    if asked.get("transformer") != transformer or asked.get("stage") != stage:
        return
    match asked["kind"]:
        case "raise":
            raise RuntimeError(f"injected at {stage}")
        case "exit":
            os._exit(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "memory":
            bytearray(2 * 1024**3)
        case "sleep":
            time.sleep(600)
