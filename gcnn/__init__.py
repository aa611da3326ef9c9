"""Group-equivariant convolutional networks for JAX and Flax.

groups           the algebra: elements, product table, subgroups, cosets (NumPy only)
representations  how it mixes the components of a field (NumPy only)
actions          how a group element moves pixels, fields and filters
kernels          pure functions from weights to filter banks
nn               Flax NNX layers
models           published architectures, as functions of a group
export           networks that run without this package: plain convolutions, StableHLO
verify           laws, equivariance per element, certificates, for any callable
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import actions as actions
    from . import export as export
    from . import groups as groups
    from . import kernels as kernels
    from . import models as models
    from . import nn as nn
    from . import representations as representations
    from . import verify as verify

__version__ = "0.1.0"
_ROOMS = ("actions", "export", "groups", "kernels", "models", "nn", "representations", "verify")


def __getattr__(name: str) -> ModuleType:
    """Import a room when it is first asked for: the algebra needs neither JAX nor Flax."""
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
