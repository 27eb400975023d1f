"""Loading a model folder: always fresh, always alone, and every failure says what and where."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from datasurface.errors import ModelCallError, ModelLoadError
from datasurface.model.load import load

OWNER = 'owner=GitHubRepository("a/b")'
START = "from datasurface import *\n"
PLAIN = START + f'ecosystem = Ecosystem("e", {OWNER})\n'


def folder(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def named(module: str) -> str:
    """An `eco.py` whose ecosystem has the name that a helper module holds."""
    return START + f"import {module} as helper\necosystem = Ecosystem(helper.NAME, {OWNER})\n"


@pytest.fixture(autouse=True)
def _nothing_stays_behind() -> Iterator[None]:
    modules, path, finders, collecting = dict(sys.modules), sys.path[:], sys.meta_path[:], gc.isenabled()
    yield
    assert sys.path == path
    assert sys.meta_path == finders
    assert gc.isenabled() is collecting
    assert {n: m for n, m in sys.modules.items() if n in modules} == modules
    assert not {n for n in sys.modules if n.partition(".")[0] in {"eco", "helper", "parts", "plain", "random_name"}}


def test_a_value_or_a_function(tmp_path: Path):
    assert load(folder(tmp_path / "a", {"eco.py": PLAIN})).name == "e"
    made = START + f'def create_ecosystem():\n    return Ecosystem("made", {OWNER})\n'
    assert load(str(folder(tmp_path / "b", {"eco.py": made}))).name == "made"


def test_two_loads_are_equal_and_independent_and_write_nothing(tmp_path: Path):
    root = folder(tmp_path, {"eco.py": named("parts.name"), "parts/__init__.py": "", "parts/name.py": "NAME = 'n'"})
    before = sorted(root.rglob("*"))
    one, two = load(root), load(root)
    assert one == two
    assert one is not two
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("name", ["helper.py", "parts/__init__.py", "parts/deep/helper.py", "plain/helper.py"])
def test_an_edit_within_the_same_second_and_of_the_same_size_is_seen(tmp_path: Path, name: str):
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    files = {"eco.py": named(module), name: "NAME = 'one'"}
    if name.startswith("parts"):
        files = {"parts/__init__.py": "", "parts/deep/__init__.py": "", **files}
    root = folder(tmp_path, files)
    stamp = (root / name).stat()
    assert load(root).name == "one"
    (root / name).write_text("NAME = 'two'")
    os.utime(root / name, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert load(root).name == "two"


def test_relative_and_circular_imports(tmp_path: Path):
    root = folder(tmp_path, {
        "eco.py": START + "import helper\nfrom parts.a import NAME\n"
        f"ecosystem = Ecosystem(NAME + helper.MORE, {OWNER})\n",
        "helper.py": "import parts.b\nMORE = parts.b.tail()\n",
        "parts/__init__.py": "",
        "parts/a.py": "from . import b\nfrom .b import HALF\nNAME = HALF + '_a'\n",
        "parts/b.py": "import parts.a\nHALF = 'b'\ndef tail():\n    return '_' + parts.a.NAME\n",
    })  # fmt: skip
    with pytest.raises(ModelLoadError, match=r"ImportError at parts/a.py:2: cannot import name 'HALF'.*circular"):
        load(root)
    (root / "parts/a.py").write_text("from . import b\nNAME = 'a'\n")
    assert load(root).name == "a_a"


def test_a_helper_goes_before_an_installed_package_of_its_name(tmp_path: Path):
    root = folder(tmp_path, {"eco.py": named("click"), "click.py": "NAME = 'mine'"})
    assert load(root).name == "mine"
    assert sys.modules["click"] is click


def test_a_folder_of_other_files_does_not_hide_an_installed_package(tmp_path: Path):
    eco = START + f"import click\necosystem = Ecosystem(click.command.__name__, {OWNER})\n"
    assert load(folder(tmp_path, {"eco.py": eco, "click/notes.txt": ""})).name == "command"


@pytest.mark.parametrize("name", ["platform", "random", "this", "antigravity"])
def test_a_helper_never_replaces_a_standard_module(tmp_path: Path, name: str):
    root = folder(tmp_path, {"eco.py": START + f"from {name} import MINE\n", f"{name}.py": "MINE = 1"})
    if name in {"this", "antigravity"}:  # which do things when they are imported
        (root / "eco.py").write_text(PLAIN)
        assert load(root).name == "e"
        assert name not in sys.modules
        return
    with pytest.raises(ModelLoadError, match=f"ImportError at eco.py:2: .*rename {name}.py: Python has a module"):
        load(root)


def test_a_standard_module_imports_its_own_kind(tmp_path: Path):
    code = (
        "import sys\nfrom datasurface.model.load import load\n"
        "assert 'statistics' not in sys.modules and 'fractions' not in sys.modules\n"
        "print(load(sys.argv[1]).name)\n"
    )
    eco = START + f"import statistics\necosystem = Ecosystem(str(statistics.mean([1, 3])), {OWNER})\n"
    root = folder(tmp_path, {"eco.py": eco, "fractions.py": "raise ValueError", "__main__.py": "raise ValueError"})
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2\n", "")


FAILURES: list[tuple[dict[str, str], str]] = [
    ({"eco.py": "x = (\n"}, r"syntax error at eco.py:1: .* never closed"),
    ({"eco.py": "import helper", "helper.py": "\n\nx = = 1\n"}, r"syntax error at helper.py:3: invalid syntax"),
    ({"eco.py": "import parts.b", "parts/b.py": "\tx\n y"}, r"syntax error at parts/b.py:1: "),
    ({"eco.py": "\nimport ast\nast.literal_eval('1 +')"}, r"SyntaxError at eco.py:3: "),
    ({"eco.py": "import helper", "helper.py": "\n1 / 0"}, r"ZeroDivisionError at helper.py:2: division by zero"),
    ({"eco.py": "import json\n\njson.loads('{')"}, r"JSONDecodeError at eco.py:3: "),
    ({"eco.py": "import nowhere_at_all"}, r"ModuleNotFoundError at eco.py:1: No module named 'nowhere_at_all'"),
    ({"eco.py": "from . import x"}, r"ImportError at eco.py:1: attempted relative import"),
    ({"eco.py": "import sys\nsys.exit(3)"}, r"the model calls exit at eco.py:2"),
    ({"eco.py": "import helper", "helper.py": "raise SystemExit"}, r"the model calls exit at helper.py:1"),
    ({"eco.py": "def f():\n    f()\nf()"}, r"RecursionError at eco.py:2: "),
    ({"eco.py": ""}, r"eco.py defines no ecosystem .*assign an Ecosystem"),
    ({"eco.py": "ecosystem = {}"}, r"`ecosystem` in eco.py is of type dict .*assign an Ecosystem"),
    ({"eco.py": "from datasurface import Ecosystem as ecosystem"}, r"`ecosystem` in eco.py is the class Ecosystem"),
    ({"eco.py": "def create_ecosystem(): pass"}, r"what `create_ecosystem\(\)` returns in eco.py is of type NoneType"),
    ({"eco.py": "def create_ecosystem():\n    raise KeyError('k')"}, r"KeyError at eco.py:2: 'k'"),
    ({"eco.py": "def create_ecosystem(x): pass"}, r"TypeError: create_ecosystem\(\) missing 1 required"),
    ({"eco.py/x": ""}, r"no eco.py in .*datasurface init"),
    ({"other.py": ""}, r"no eco.py in .*datasurface init"),
    ({"eco.py": "import sys\nsys.path.insert(0, 'x')\nsys.meta_path.pop(0)\nimport helper"},
     r"No module named 'helper'"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "message"), FAILURES)
def test_a_failure_says_what_and_where(tmp_path: Path, files: dict[str, str], message: str):
    with pytest.raises(ModelLoadError, match=f"(?s){message}"):
        load(folder(tmp_path, files))


@pytest.mark.parametrize("source", [b"x = '\xff'", b"x = 1\0", b"# coding: nonsense\n"])
def test_a_source_that_is_no_text(tmp_path: Path, source: bytes):
    (tmp_path / "eco.py").write_bytes(source)
    with pytest.raises(ModelLoadError, match=r"eco\.py"):
        load(tmp_path)


@pytest.mark.parametrize("path", ["nowhere", "x" * 5000, "a\0b", "loop"])
def test_a_folder_that_cannot_be_read(tmp_path: Path, path: str):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ModelLoadError):
        load(f"{tmp_path}/{path}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path):
    folder(tmp_path, {"eco.py": PLAIN})
    (tmp_path / "eco.py").chmod(0)
    with pytest.raises(ModelLoadError, match="Permission"):
        load(tmp_path)


def test_a_wrong_call_keeps_its_own_error_and_place(tmp_path: Path):
    files = {"eco.py": "import helper", "helper.py": START + "Column(\n  'a',\n  Integer,\n  kee=True)\n"}
    with pytest.raises(ModelCallError, match=r"no argument 'kee' at helper.py:2 \(did you mean 'key'\?\)"):
        load(folder(tmp_path, files))


def test_an_interrupt_passes_through(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        load(folder(tmp_path, {"eco.py": "raise KeyboardInterrupt"}))


@pytest.mark.parametrize("name", ["with spaces", "ünïcödé ☃", "x" * 200 + "/" + "y" * 200 + "/" + "z" * 200, "a'b\"c"])
def test_any_folder_name(tmp_path: Path, name: str):
    root = folder(tmp_path / name, {"eco.py": named("helper"), "helper.py": "NAME = 'n'"})
    made = load(root)
    assert (made.name, str(made.declared_at)) == ("n", "eco.py:3")


def test_a_symlink_to_the_folder_and_in_it(tmp_path: Path):
    folder(tmp_path, {"real/eco.py": named("helper"), "elsewhere.py": "NAME = 'linked'"})
    (tmp_path / "real/helper.py").symlink_to(tmp_path / "elsewhere.py")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    made = load(tmp_path / "link")
    assert (made.name, str(made.declared_at)) == ("linked", "eco.py:3")


def test_what_the_model_does_to_the_path_of_imports_is_undone(tmp_path: Path):
    eco = "import sys\nsys.path.insert(0, 'nowhere')\nsys.path_hooks\n" + PLAIN
    assert load(folder(tmp_path, {"eco.py": eco})).name == "e"


def test_folders_with_modules_of_the_same_names_do_not_meet(tmp_path: Path):
    roots = [folder(tmp_path / n, {"eco.py": named("helper"), "helper.py": f"NAME = '{n}'"}) for n in "abc"]
    assert [load(root).name for root in [*roots, *reversed(roots)]] == ["a", "b", "c", "c", "b", "a"]


def test_threads_may_load_at_the_same_time(tmp_path: Path):
    slow = "import time\ntime.sleep(0.01)\n"
    eco = slow + named("helper")
    roots = {n: folder(tmp_path / n, {"eco.py": eco, "helper.py": f"{slow}NAME = '{n}'"}) for n in "abcd"}
    seen: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n, root=root: seen.append((n, load(root).name)))
        for _ in range(3)
        for n, root in roots.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == len(threads)
    assert all(name == wanted for wanted, name in seen)


def test_a_model_that_loads_a_model(tmp_path: Path):
    folder(tmp_path / "inner", {"eco.py": named("helper"), "helper.py": "NAME = 'inner'"})
    eco = "from datasurface.model.load import load\nimport helper\n" + (
        f"inner = load({str(tmp_path / 'inner')!r})\nimport helper as again\n" + START
        + f"ecosystem = Ecosystem(inner.name + helper.NAME + again.NAME, {OWNER})\n"
    )  # fmt: skip
    assert load(folder(tmp_path / "outer", {"eco.py": eco, "helper.py": "NAME = '_outer'"})).name == "inner_outer_outer"
