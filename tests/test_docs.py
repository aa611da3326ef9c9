"""The documentation builds without a warning, names everything public, and its examples run."""

import ast
import doctest
import functools
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import gcnn

pytestmark = pytest.mark.newest
ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "gcnn").rglob("*.py"))
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


# The site.


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    cache = Path(os.environ["JAX_COMPILATION_CACHE_DIR"]).absolute()  # notebooks run elsewhere
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", "html"]
    return subprocess.run(
        [*command, "-d", str(target / "doctrees"), str(source), str(target / "html")],
        capture_output=True, text=True, env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    target = tmp_path_factory.mktemp("docs")
    return build(ROOT / "docs", target), target / "html"


def test_the_site_builds_without_a_warning(site):
    done, html = site
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "WARNING:" not in done.stderr
    for page in ("index", "notation", "guide/first_steps", "api/nn"):
        assert (html / f"{page}.html").exists()


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("# Home\n\n{py:func}`gcnn.nn.nothing`\n", "gcnn.nn.nothing"),
        (
            "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"
            "# Home\n\n```{code-cell}\nassert 1 == 2\n```\n",
            "ExecutionError",
        ),
    ],
    ids=["a reference to nothing", "a cell that fails"],
)
def test_the_build_refuses(tmp_path, page, message):
    (tmp_path / "source").mkdir()
    shutil.copy(ROOT / "docs" / "conf.py", tmp_path / "source")
    (tmp_path / "source" / "index.md").write_text(page)
    done = build(tmp_path / "source", tmp_path)
    assert done.returncode != 0
    assert message in done.stderr


# Names.


def public_names() -> set[str]:
    """Every public name of every room, and every public member of its classes."""
    names = set()
    for room in gcnn._ROOMS:
        module = importlib.import_module(f"gcnn.{room}")
        for name in exported(Path(inspect.getfile(module)).read_text()):
            names.add(f"gcnn.{room}.{name}")
            if inspect.isclass(value := getattr(module, name)):
                members = (property, functools.cached_property, classmethod, staticmethod)
                names |= {
                    f"gcnn.{room}.{name}.{member}"
                    for member, what in vars(value).items()
                    if not member.startswith("_")
                    and (inspect.isfunction(what) or isinstance(what, members))
                }
    return names


def exported(source: str) -> set[str]:
    """What a module defines at its top, or imports as `X as X`, but for `_private` names."""
    names: list[str] = []
    for node in ast.parse(source).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.append(name)
            case ast.ImportFrom(names=aliases):
                names += [a.name for a in aliases if a.asname == a.name]
            case ast.Assign(targets=targets):
                names += [t.id for t in targets if isinstance(t, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
    return {name for name in names if not name.startswith("_")}


def undocumented(names: set[str], html: Path) -> list[str]:
    """Those of `names` that no page of the reference describes, by the inventory of the site."""
    _, _, body = (html / "objects.inv").read_bytes().partition(b"zlib.\n")
    entries = [line.split(" ") for line in zlib.decompress(body).decode().splitlines()]
    described = {e[0] for e in entries if e[1].startswith("py:") and e[3].startswith("api/")}
    return sorted(names - described)


def test_every_public_name_is_in_the_reference(site):
    names = public_names()
    assert {"gcnn.nn.GroupConv.bank", "gcnn.groups.Group.product", "gcnn.actions.Action"} <= names
    assert len(names) > 50
    assert not undocumented(names, site[1])


def test_a_name_without_a_page_is_missing(site):
    assert undocumented({"gcnn.nn.Imagined", "gcnn.nn.GroupConv"}, site[1]) == ["gcnn.nn.Imagined"]


def test_exports_are_told_from_imports():
    source = "from a import b, c as c, _d as _d\nx = 1\n_y = 2\ndef f(): ...\nclass C: ..."
    assert exported(source) == {"c", "x", "f", "C"}


def test_every_page_of_the_experiments_is_in_the_reference(site):
    from experiments.configs import pages

    modules = {f"experiments.configs.{name}" for name in pages()}
    assert modules and not undocumented(modules, site[1])


# Examples in docstrings.


def examples(source: str, name: str) -> list[doctest.DocTest]:
    """The docstrings with examples, taken from the source: no decorator can hide one."""
    places = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [ast.get_docstring(n) for n in ast.walk(ast.parse(source)) if isinstance(n, places)]
    parser = doctest.DocTestParser()
    found = [parser.get_doctest(text, {}, name, name, 0) for text in texts if text]
    return [test for test in found if test.examples]


def run(tests: list[doctest.DocTest]) -> tuple[int, str]:
    """How many examples ran, and what failed."""
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in tests:
        runner.run(test, out=failures.append)
    return runner.summarize(verbose=False).attempted, "".join(failures)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_the_docstrings(path):
    source = path.read_text()
    attempted, failures = run(examples(source, path.name))
    assert not failures, failures
    assert attempted == len(re.findall(r"^ *>>> ", source, re.M))  # none was overlooked


def test_there_are_examples():
    assert sum(len(examples(path.read_text(), path.name)) for path in SOURCES) >= 7


def test_a_wrong_example_fails(capsys):
    attempted, failures = run(examples('"""One.\n\n>>> 1 + 1\n3\n"""', "wrong"))
    assert attempted == 1 and "Expected:\n    3\nGot:\n    2" in failures
    capsys.readouterr()  # doctest prints a summary


# The first code that a person reads.


def python_blocks(path: Path) -> list[tuple[int, str]]:
    """The fenced blocks marked `python`, each with the line it starts at."""
    text = path.read_text()
    found = re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S)
    return [(text.count("\n", 0, m.start(1)), m[1]) for m in found]


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_python_blocks_of(page):
    blocks = python_blocks(ROOT / page)
    assert blocks, f"{page} shows no Python"
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, block in blocks:
        exec(compile("\n" * line + block, page, "exec"), namespace)  # in order, in one namespace


def test_the_message_that_the_readme_quotes_is_the_one_that_is_raised():
    import jax
    from flax import nnx

    layer = gcnn.nn.LiftingConv(gcnn.groups.p4(), 1, 10, 3, strides=2, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="would not commute") as raised:
        jax.eval_shape(layer, jax.ShapeDtypeStruct((1, 28, 28, 1), "float32"))
    readme = (ROOT / "README.md").read_text()
    quoted = " ".join(line[2:] for line in readme.splitlines() if line.startswith("> "))
    parts = quoted.split(" […] ")
    assert len(parts) == 2
    for part in parts:
        assert part in str(raised.value)
