"""A harsher world than a user's: shapes checked at run time, promotions refused, fixed seeds."""

import os

# Compiled programs are kept between runs of the tests; a path of the user's own wins.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", ".jax_cache")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
# The same programs in less polished machine code, which takes a third less time to make. (Level 0
# is wrong in places: there is a network whose loss it makes NaN.)
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")

import jax
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("gcnn", "beartype.beartype")
settings.register_profile("gcnn", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("gcnn")


@pytest.fixture
def key() -> jax.Array:
    """A fixed random key."""
    return jax.random.key(2016)


@pytest.fixture
def strict():
    """Refuse implicit promotion of ranks and types, as the library must not need them."""
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield
