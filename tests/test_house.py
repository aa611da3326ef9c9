"""The house: imports point down, each floor adds one dependency, and every door has a sign."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gcnn"

# Each room: the rooms it may import, and the third-party packages.
ROOMS = {
    "groups": (set(), {"numpy"}),
    "representations": ({"groups"}, {"numpy"}),
    "actions": ({"groups", "representations"}, {"numpy", "jax", "jaxtyping"}),
    "kernels": ({"groups", "representations", "actions"}, {"numpy", "jax", "jaxtyping"}),
    "nn": (
        {"groups", "representations", "actions", "kernels"},
        {"numpy", "jax", "jaxtyping", "flax"},
    ),
    "models": ({"groups", "actions", "kernels", "nn"}, {"jax", "jaxtyping", "flax"}),
    "export": ({"groups", "actions", "nn"}, {"numpy", "jax", "jaxtyping", "flax"}),
    "verify": ({"groups", "actions"}, {"numpy", "jax", "jaxtyping"}),
    "selfcheck": (
        {"groups", "representations", "actions", "nn", "verify"},
        {"numpy", "jax", "jaxtyping", "flax"},
    ),
    "__main__": ({"groups", "selfcheck", "verify"}, {"jax"}),
}
FILES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [path for path in FILES if path != PACKAGE / "__init__.py"]  # the door opens every room


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    """The room that a file is in: the folder or the module right below `gcnn`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path, source: str) -> set[str]:
    """Absolute names of what a file imports: `gcnn.groups`, `jax.numpy`."""
    package = path.relative_to(ROOT).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level])
            module = f"{base}.{node.module}" if node.module else base
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def forbidden_imports(path: Path, source: str) -> list[str]:
    """What a file imports from above, from beside or from a package of another floor."""
    room = room_of(path)
    below, packages = ROOMS[room]
    wrong = []
    for name in sorted(imported(path, source)):
        top, *rest = name.split(".")
        if top == "gcnn":
            private = any(part.startswith("_") for part in rest[1:])
            if rest[0] != room and (rest[0] not in below or private):
                wrong.append(name)
        elif top not in packages and top not in sys.stdlib_module_names:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_imports_point_down(path):
    assert room_of(path) in ROOMS, f"{identify(path)} is in no room; a new room is a new row"
    assert forbidden_imports(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("file", "line", "wrong"),
    [
        ("groups/_group.py", "from ..actions import act_on_image", "gcnn.actions.act_on_image"),
        ("groups/_square.py", "import jax.numpy as jnp", "jax.numpy"),
        ("groups/_names.py", "from .. import kernels", "gcnn.kernels"),
        ("actions.py", "from .groups._axioms import show", "gcnn.groups._axioms.show"),
        ("representations/_named.py", "from ..actions import Action", "gcnn.actions.Action"),
        ("actions.py", "from flax import nnx", "flax.nnx"),
        ("kernels.py", "from .nn import GroupConv", "gcnn.nn.GroupConv"),
        ("nn/_conv.py", "from ..models import P4CNN", "gcnn.models.P4CNN"),
        ("nn/_conv.py", "import gcnn.verify", "gcnn.verify"),
        ("models.py", "from .nn._window import Window", "gcnn.nn._window.Window"),
        ("models.py", "from experiments import train", "experiments.train"),
        ("verify/_laws.py", "from ..nn import GroupConv", "gcnn.nn.GroupConv"),
        ("verify/_laws.py", "from .. import kernels", "gcnn.kernels"),
        ("verify/_laws.py", "def f():\n    from flax import nnx", "flax.nnx"),
        ("export/_freeze.py", "from ..models import P4CNN", "gcnn.models.P4CNN"),
        ("nn/_pool.py", "import optax", "optax"),
    ],
)
def test_the_search_finds_an_import_that_points_up(file, line, wrong):
    assert forbidden_imports(PACKAGE / file, line) == [wrong]


def test_the_search_lets_imports_that_point_down_pass():
    below = "import itertools\nfrom ..groups import Group\nfrom ._window import Window\nimport jax"
    assert forbidden_imports(PACKAGE / "nn/_conv.py", below) == []


def run(code: str) -> str:
    """What a fresh interpreter prints, run where the package lies."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


LOADED = (
    "import sys; print(sorted({m.split('.')[0] for m in sys.modules} & {'jax','flax','numpy'}))"
)


@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import gcnn", "[]"),
        ("from gcnn import representations", "['numpy']"),
        ("from gcnn import groups; groups.p4m().subgroups", "['numpy']"),
        ("from gcnn import kernels", "['jax', 'numpy']"),
        ("import gcnn; gcnn.nn.GroupConv", "['flax', 'jax', 'numpy']"),
    ],
)
def test_a_room_loads_no_more_than_its_floor(code, loaded):
    assert run(f"{code}\n{LOADED}") == loaded


def test_the_door_knows_its_rooms():
    import gcnn

    assert gcnn.groups.p4().order == 4
    with pytest.raises(AttributeError, match="module 'gcnn' has no attribute 'utils'"):
        gcnn.utils  # noqa: B018


def undocumented(source: str) -> list[str]:
    """Public classes, functions and methods without a docstring, and the module if it has none."""
    tree = ast.parse(source)
    missing = [] if ast.get_docstring(tree) else ["module"]

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and child.name[0] != "_":
                if not ast.get_docstring(child):
                    missing.append(prefix + child.name)
                if isinstance(child, ast.ClassDef):
                    visit(child, f"{prefix}{child.name}.")

    visit(tree, "")
    return missing


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_every_public_name_has_a_docstring(path):
    assert undocumented(path.read_text()) == []


def test_the_search_finds_a_name_without_a_docstring():
    source = "class A:\n    '''Yes.'''\n    def f(self): ...\n    def _g(self): ...\ndef h(): ..."
    assert undocumented(source) == ["module", "A.f", "h"]


def fields_left_out(source: str) -> list[str]:
    """Public fields that a class does not tell where its docstring tells its attributes."""
    missing = []
    for node in ast.walk(ast.parse(source)):
        told = (ast.get_docstring(node) or "") if isinstance(node, ast.ClassDef) else ""
        if "Attributes:" in told:
            names = [a.target.id for a in node.body if isinstance(a, ast.AnnAssign)]
            missing += [
                f"{node.name}.{name}" for name in names
                if name[0] != "_" and not re.search(rf"^ +([\w, ]+, )?{name}\b[^:\n]*:", told, re.M)
            ]  # fmt: skip
    return missing


def test_where_attributes_are_told_none_is_left_out():
    rooms = (PACKAGE.parent / room for room in ("gcnn", "experiments", "benchmarks"))
    paths = [path for room in rooms for path in room.rglob("*.py")]
    assert not {str(p): left for p in paths if (left := fields_left_out(p.read_text()))}


def test_the_search_finds_a_field_that_is_left_out():
    told = "    '''All.\n\n    Attributes:\n      a, b: two.\n    '''\n"
    fields = "    a: int\n    b: int\n    c: int\n    _d: int\n"
    assert fields_left_out(f"class A:\n{told}{fields}") == ["A.c"]


@pytest.mark.parametrize("path", FILES, ids=identify)
def test_files_are_short_and_named_for_what_they_hold(path):
    assert path.stem.strip("_") not in {"utils", "util", "helpers", "common", "base", "misc"}
    assert len(path.read_text().splitlines()) < 350


TRACES = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:home|root|Users|work|mnt)/\w"),
    "an index of packages": re.compile(
        r"(?:--|_|\b)(?:extra[-_])?index[-_]url\b|https?://(?!pypi\.org/)[^\s\"']+/simple\b", re.I
    ),
}


def traces(text: str) -> list[str]:
    return [f"{what}: {m[0]}" for what, p in TRACES.items() for m in [p.search(text)] if m]


SLASH, DASH = "/", "-"  # spelt out, the examples below would be found in this very file


def test_tracked_files_name_no_machine():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if listed.returncode:
        pytest.skip("not a checkout: there are no tracked files to read")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    contents = {path: path.read_bytes() for path in paths if path.is_file()}
    found = {
        identify(path): traces(data.decode())
        for path, data in contents.items()
        if b"\0" not in data and path != Path(__file__)  # text, and not the patterns themselves
    }
    assert len(found) > 10
    assert {name: where for name, where in found.items() if where} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"data = '{SLASH}home/someone/data'", True),
        (f"see {SLASH}Users/someone", True),
        (f"pip install --index{DASH}url http://mirror/x", True),
        ("https://mirror.example/api/simple", True),
        ("https://pypi.org/simple", False),
        ("https://example.org/home/page", False),
        ("a/home/b, a workflow, ./root/x", False),
    ],
)
def test_the_search_knows_a_machine_from_a_web_page(text, found):
    assert bool(traces(text)) == found
