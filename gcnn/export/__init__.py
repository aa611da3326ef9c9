"""From a trained network to one that runs without this package.

`freeze` makes of every convolution over a group an ordinary one, once and for all; `to_stablehlo`
and `save` write the network down for a process that has JAX, and nothing else.
"""

from ._freeze import freeze as freeze
from ._frozen import FrozenConv as FrozenConv
from ._frozen import FrozenConvTranspose as FrozenConvTranspose
from ._stablehlo import save as save
from ._stablehlo import to_stablehlo as to_stablehlo
