"""A headless Chromium, in which pages are tested."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
# Where CI is true, as in .ci/run, a browser must be there: a skipped test would go unnoticed.
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="no chromium in PATH"
)


def open_page(tmp_path: Path, address: str, *options: str) -> str:
    """What the browser prints of a page, such as its elements with the option ``--dump-dom``."""
    assert CHROMIUM is not None, "no chromium in PATH"
    switches = ["disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
    switches += ["disable-component-update", "disable-sync", "headless", "no-sandbox"]
    command = [CHROMIUM, *(f"--{switch}" for switch in switches), *options]
    command += [f"--user-data-dir={tmp_path / 'browser'}", address]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout
