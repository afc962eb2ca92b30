"""The same numbers in every run, on one thread, as tests share the cores."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def repeatable() -> None:
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
