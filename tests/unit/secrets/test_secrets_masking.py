from __future__ import annotations

import io
import logging
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from datasurface.cli.app import main
from datasurface.errors import DataSurfaceError
from datasurface.secrets.base import Secret
from datasurface.secrets.masking import masked, remember

CANARY = "c4n4ry-'\"%\\ü pass"
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nshort\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----"


@pytest.mark.parametrize(
    ("known", "text", "shown"),
    [
        ("hunter2", "password hunter2 refused", "password *** refused"),
        ("hunter2", "xhunter2x", "x***x"),
        ("in", "1 row inserted in 3 s", "1 row inserted *** 3 s"),
        ("abc", "abc, abcd, (abc)", "***, abcd, (***)"),
        (CANARY, f"url=postgresql://u:c4n4ry-%27%22%25%5C%C3%BC%20pass@h {CANARY!r}", "url=postgresql://u:***@h '***'"),
        (CANARY, '{"password": "c4n4ry-\'\\"%\\\\\\u00fc pass"}', '{"password": "***"}'),
        ("hunter2", "aHVudGVyMg==", "***"),
        ("it's", "ALTER ROLE r PASSWORD 'it''s'", "ALTER ROLE r PASSWORD '***'"),
        (KEY, "line: AQEFAASCBKcwggSjAgEAAoIB.", "line: ***."),
        (KEY, "short -----BEGIN KEY-----", "short -----BEGIN KEY-----"),
        ("", "nothing is hidden", "nothing is hidden"),
    ],
)
def test_known_values_are_masked_in_every_form_that_quoting_gives_them(known: str, text: str, shown: str) -> None:
    remember([known])
    assert masked(text) == shown


def test_values_that_overlap_leave_no_rest() -> None:
    remember(["abcdXY", "XYefgh", "abcd"])
    assert masked("-abcdXYefgh-abcd-") == "-***-***-"


def test_a_secret_is_known_when_it_is_made_and_its_user_is_not_masked() -> None:
    Secret(user="some-user", password="pass-word", token="to-ken", private_key="k-ey", certificate="cert")
    assert masked("some-user pass-word to-ken k-ey cert") == "some-user *** *** *** ***"


def test_a_line_is_masked_fast_with_thousands_of_secrets_known() -> None:
    remember(f"generated-password-{number:05d}" for number in range(2000))
    line = "stream=crm batch=17 state=merged read=1000 inserted=10 updated=3 deleted=0 seconds=0.31" * 2
    masked(line)
    began = time.perf_counter()
    for _ in range(20):
        masked(line)
    assert (time.perf_counter() - began) / 20 < 0.02


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream, logger = io.StringIO(), logging.getLogger("datasurface.engine.deep")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def fail_twice() -> None:
    try:
        int(CANARY)
    except ValueError as error:
        raise RuntimeError(f"and then {CANARY}") from error


def test_no_logger_and_no_traceback_shows_a_known_value(written: io.StringIO) -> None:
    log = logging.getLogger("datasurface.engine.deep")
    Secret(password=CANARY)
    log.error("refused %s", CANARY)
    try:
        fail_twice()
    except RuntimeError:
        log.exception("failed with %r", {"password": CANARY})
    assert CANARY not in written.getvalue()
    assert repr(CANARY)[1:-1] not in written.getvalue()
    assert "ValueError: invalid literal for int() with base 10: '***'" in written.getvalue()
    assert "RuntimeError: and then ***" in written.getvalue()


def test_a_record_without_secrets_keeps_its_arguments(caplog: pytest.LogCaptureFixture) -> None:
    Secret(password="pass-word")
    logging.getLogger("datasurface").warning("stream %s took %d s", "crm", 3)
    assert caplog.records[0].args == ("crm", 3)


def test_an_error_that_the_command_line_prints_is_masked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        Secret(password="pass-word")
        raise DataSurfaceError("refused pass-word", hint="try pass-word again")

    monkeypatch.setattr("datasurface.cli.app.app.main", fail)
    with pytest.raises(SystemExit):
        main(["status", "--json"])
    told = capsys.readouterr()
    assert "refused ***" in told.err
    assert '"hint": "try *** again"' in told.out
    assert "pass-word" not in told.err + told.out


@pytest.mark.parametrize(
    "where", ["raise ValueError(HIDDEN)", "t = threading.Thread(target=fail); t.start(); t.join()"]
)
def test_a_traceback_that_nobody_catches_is_masked(where: str) -> None:
    code = f"""
import threading
from datasurface.secrets.base import Secret
from datasurface.secrets.masking import mask_tracebacks
HIDDEN = "".join(["pass", "-", "word"])
def fail():
    raise ValueError(HIDDEN)
mask_tracebacks()
Secret(password=HIDDEN)
{where}
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ValueError: ***" in ended.stderr
    assert "pass-word" not in ended.stderr + ended.stdout
