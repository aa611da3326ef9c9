"""P4CNN trained on upright digits alone, and tested on rotated ones.

Shows what the symmetry does when the data do not: the error as a function of the angle repeats
every 90°, and is low at all multiples of 90° although the network never saw a rotated digit.

    python -m experiments.train upright_p4cnn --beside runs/upright_z2cnn/summary.json
"""

from gcnn import groups, models

from ..config import Config

config = Config(
    name="upright_p4cnn",
    model=lambda rngs: models.P4CNN(groups.p4(), rngs=rngs),
    symmetry=groups.p4(),
    data="upright_mnist",
    epochs=4,
)
