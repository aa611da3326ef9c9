"""P4CNN on hexagons: rotated MNIST resampled on the hexagonal lattice, under its six rotations.

The network has the seven valid convolutions of the P4CNN, of the 7 pixels within one step in place
of 3 x 3, and of 19 in place of 4 x 4 at the top. That makes 22 770 weights (29 506 are stored, with
those beside the hexagons), where the P4CNN has 24 680. It is invariant to turns by 60°, exactly, as
the P4CNN is to those by 90°. The schedule is that of `p4cnn`.

    python -m experiments.train p6cnn

No published number: Hoogeboom et al. 2018, "HexaConv", have other data. Our run had a test error of
2.02 ± 0.06 %, and that of the P4CNN on squares 2.47 ± 0.07 %; it took seven minutes on two busy CPU
cores.
"""

from gcnn import groups, models

from ..config import Config

config = Config(
    name="p6cnn",
    model=lambda rngs: models.P4CNN(groups.p6(), channels=8, rngs=rngs),
    symmetry=groups.p6(),
    data="hexagonal_mnist",
    curve=False,
)
