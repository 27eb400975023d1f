from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_kill_9_at_any_system_call_leaves_whole_secrets_and_the_next_attempt_ends_well(tmp_path: Path) -> None:
    child = Path(__file__).with_name("secret_files_child.py")
    ended = subprocess.run([sys.executable, str(child), str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) > 60
