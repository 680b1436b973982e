"""Settings of the tests with PyTorch."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Lets what a test draws from PyTorch's own generator not depend on what ran before it."""
    torch.manual_seed(0)
