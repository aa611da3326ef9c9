"""What Flax lacks for group-equivariant networks, in the dialect of `flax.nnx`.

Everything that acts on the last axis (`nnx.BatchNorm`, `nnx.LayerNorm`, `nnx.Linear`, `nnx.relu`,
...) already is equivariant on our arrays, since the group axis is an ordinary axis, and comes
from Flax.
"""

from ._conv import GroupConv as GroupConv
from ._conv import LiftingConv as LiftingConv
from ._group_pool import GroupPool as GroupPool
from ._pool import avg_pool as avg_pool
from ._pool import global_avg_pool as global_avg_pool
from ._pool import global_max_pool as global_max_pool
from ._pool import max_pool as max_pool
