"""What Flax lacks for group-equivariant networks, in the dialect of `flax.nnx`.

Everything that acts on the last axis (`nnx.BatchNorm`, `nnx.LayerNorm`, `nnx.Linear`, `nnx.relu`,
...) already is equivariant on images and regular fields, since the group axis is an ordinary axis,
and comes from Flax; `BatchNorm` here is that of Flax, faster in evaluation. Fields of
representations that do not permute need a normalisation and nonlinearities of their own.
"""

from ._batch_norm import BatchNorm as BatchNorm
from ._blur import BlurPool as BlurPool
from ._blur import MaxBlurPool as MaxBlurPool
from ._conv import GroupConv as GroupConv
from ._conv import LiftingConv as LiftingConv
from ._conv_transpose import GroupConvTranspose as GroupConvTranspose
from ._conv_transpose import LiftingConvTranspose as LiftingConvTranspose
from ._cosets import CosetPool as CosetPool
from ._cosets import CosetUnpool as CosetUnpool
from ._cosets import Induce as Induce
from ._cosets import Restrict as Restrict
from ._depthwise import DepthwiseConv as DepthwiseConv
from ._depthwise import SeparableGroupConv as SeparableGroupConv
from ._field_norm import FieldNorm as FieldNorm
from ._group_pool import GroupPool as GroupPool
from ._learned_polyphase import LearnedPolyphase as LearnedPolyphase
from ._nonlinearity import GatedNonlinearity as GatedNonlinearity
from ._nonlinearity import NormNonlinearity as NormNonlinearity
from ._nonlinearity import pointwise as pointwise
from ._polyphase import PolyphasePool as PolyphasePool
from ._polyphase import polyphase_phase as polyphase_phase
from ._polyphase import polyphase_sample as polyphase_sample
from ._polyphase import polyphase_unsample as polyphase_unsample
from ._pool import avg_pool as avg_pool
from ._pool import global_avg_pool as global_avg_pool
from ._pool import global_max_pool as global_max_pool
from ._pool import max_pool as max_pool
from ._self_attention import GroupSelfAttention as GroupSelfAttention
from ._self_attention import LiftingSelfAttention as LiftingSelfAttention
from ._steerable import SteerableConv as SteerableConv
from ._upsample import upsample as upsample
