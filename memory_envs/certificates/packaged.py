"""The certificates of all ids of the package, which come with it."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from memory_envs.certificates.certificate import Certificate, from_dict

# Made by ``python -m benchmarks.certificates``.
FILE = Path(__file__).with_suffix(".json")


@lru_cache(maxsize=1)
def read_certificates() -> dict[str, Certificate]:
    """Returns the certificates of all ids that come with the package, by id."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return {env_id: from_dict(certificate) for env_id, certificate in found.items()}
