"""The tree of errors: stable codes, messages for people."""

from __future__ import annotations

import inspect

from datasurface import errors
from datasurface.errors import DataSurfaceError, MissingExtraError, ModelCallError, ModelLoadError

CODES = {
    "DataSurfaceError": ("DS-000", 2), "ModelCallError": ("DS-101", 2), "ModelLoadError": ("DS-102", 2),
    "ConfigurationError": ("DS-103", 2), "MissingExtraError": ("DS-104", 2), "SecretError": ("DS-201", 2),
    "SourceError": ("DS-301", 1), "TransientError": ("DS-302", 1), "StoreError": ("DS-303", 2),
    "NothingActiveError": ("DS-304", 2), "StreamBusyError": ("DS-401", 1), "LostStreamError": ("DS-402", 1),
    "BatchFailedError": ("DS-403", 1), "SupersededError": ("DS-404", 1), "ApplyBlockedError": ("DS-501", 1),
}  # fmt: skip


def test_codes_and_exit_codes_are_stable_and_codes_unique():
    classes = {n: c for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, DataSurfaceError)}
    assert {name: (cls.code, cls.exit_code) for name, cls in classes.items()} == CODES
    assert len({code for code, _ in CODES.values()}) == len(CODES)
    assert set(errors.__all__) == set(CODES)


def test_an_error_says_its_code_what_happened_and_what_to_do():
    error = ModelLoadError("no eco.py", hint="run init")
    assert str(error) == "DS-102 no eco.py (run init)"
    assert (error.message, error.hint) == ("no eco.py", "run init")
    assert str(ModelLoadError("no eco.py")) == "DS-102 no eco.py"


def test_a_missing_extra_says_how_to_install_it():
    assert 'pip install "datasurface[cron]"' in str(MissingExtraError("A Cron", "cron"))


def test_a_wrong_call_is_a_type_error_too():
    assert isinstance(ModelCallError("x"), TypeError)
