"""How the documentation is built: `sphinx-build -W --keep-going -b html docs docs/_build/html`.

Nothing here asks the network. The pages of `guide/` and `tutorials/` are notebooks that
run at every build.
"""

import ast
import importlib.metadata
import inspect
import os
import re
import sys
import textwrap
from pathlib import Path

from flax import nnx

# `experiments` is not part of the installed package, and is documented all the same.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# The pages print rounding errors: on a CPU, and so alike wherever they are built.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The tutorials run in a scratch folder, and import the modules that lie next to them.
beside = [str(Path(__file__).resolve().parent / "tutorials"), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, beside))

project = "gcnn"
author = "the authors of gcnn"
release = importlib.metadata.version("gcnn")
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "myst_nb"]
exclude_patterns = ["_build", "jupyter_execute"]
default_role = "code"  # `x` in a docstring is code, as in Markdown

html_theme = "furo"
html_title = "gcnn"

# Docstrings: Google's sections; what a class says, and then what its constructor says.
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autoclass_content = "both"
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# Cross-references must resolve, but for what lives outside of gcnn: no inventory is fetched.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(collections|flax|jax|jaxlib|matplotlib|nnx|numpy|optax|pathlib|rich|typing)\..*"),
    # shapes, such as "Float[Array, 'b y x c']"
    ("py:.*", r"(jaxtyping\.)?(Array|ndarray|Bool|Float(64)?|Key|Num|PRNGKeyArray|UInt32)(\[.*)?"),
    ("py:class", r"Dtype|Initializer|Padding|PrecisionLike"),  # explained where they are arguments
    ("py:class", r"tp\.\w+|rnglib\.Rngs|PromoteDtypeFn"),  # as Flax spells them: nn.BatchNorm
    ("py:class", r"gcnn\.actions\._\w+\.AnyArray"),  # documented as data, sought as a class
    # tyro's marks for what the command line shows otherwise, as Sphinx 9 and as Sphinx 8 spell them
    ("py:class", r"(tyro\.conf\.)?(Suppress|OmitArgPrefixes)|gcnn\.groups\.Annotated"),
    ("py:class", r"experiments\.parallel\.devices\.T"),  # a type variable
    ("py:class", r"experiments\.training\.step\.(Program|State)"),  # tuples, told in the module
]

# MyST notebooks, run in a scratch folder.
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_execution_in_temp = True
nb_merge_streams = True


def setup(app):
    """Read docstrings as they are written: Markdown in spirit, reStructuredText in small print."""
    # before napoleon, which listens at the default priority of 500
    app.connect("autodoc-process-docstring", _plain_docstring, priority=400)
    app.connect("autodoc-process-signature", _constructor)


def _constructor(app, what, name, obj, options, signature, returns):
    """The signature of an NNX module, whose metaclass shows `(*args, **kwargs)` in its place."""
    if what != "class" or not issubclass(obj, nnx.Module):
        return None
    source = textwrap.dedent(inspect.getsource(obj.__init__))
    arguments = ast.unparse(ast.parse(source).body[0].args).removeprefix("self, ")
    return "(" + re.sub(r"\bGroup\b", "~gcnn.groups.Group", arguments) + ")", None


def _plain_docstring(app, what, name, obj, options, lines):
    """Three habits of the docstrings that reStructuredText would read in another way.

    - `|H|` and `‖f‖` are sizes and norms, not substitutions.
    - A line of its own that holds an equation, such as "y(p) = max_u x(p + u)", is displayed.
    - A block indented by four or more after an empty line is literal, such as a command.
    """
    text = lines[:]
    # napoleon takes a first line "The Cayley table: ..." for a type; let that line be a comment
    lines[:] = ["..", ""] if what in ("attribute", "property") else []
    literal = False
    for i, line in enumerate(text):
        before = text[i - 1].strip() if i else ""
        after = text[i + 1].strip() if i + 1 < len(text) else ""
        if line.strip():
            indented = line.startswith("    ")
            if indented and not before and not literal and not _in_section(text[:i]):
                lines += [".. code-block:: none", ""]
                literal = True
            elif not indented:
                literal = False
        alone = not before and not after and i > 0
        if alone and " = " in line and not line.startswith(" ") and not line.endswith("."):
            lines += [".. code-block:: none", "   :class: equation", "", f"   {line}"]
        elif literal:
            lines.append(line)
        else:
            lines.append(_escaped(line))


def _in_section(text: list[str]) -> bool:
    """Whether the lines so far end in a Google section, whose body is indented by itself."""
    heads = [line for line in text if line.strip() and not line.startswith(" ")]
    return bool(heads) and re.fullmatch(r"\w+:", heads[-1]) is not None


def _escaped(line: str) -> str:
    """Bars outside of code, escaped."""
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(p if p.startswith("`") else p.replace("|", r"\|") for p in parts)
