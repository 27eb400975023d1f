"""`datasurface deploy`: what it says to somebody whose model is not ready for it."""

from __future__ import annotations

import pytest

from datasurface.deploy.base import target, target_names
from datasurface.errors import ConfigurationError


def test_an_unknown_target_is_told() -> None:
    with pytest.raises(ConfigurationError, match="no installed target is called 'mainframe'"):
        target("mainframe")


def test_every_installed_target_has_its_own_name() -> None:
    assert [target(name).name for name in target_names()] == list(target_names())
