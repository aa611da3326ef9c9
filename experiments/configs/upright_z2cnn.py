"""The plain CNN trained on upright digits alone: the control of `upright_p4cnn`.

Its error by angle shows what a network makes of orientations that it never saw.

    python -m experiments.train upright_z2cnn
"""

from gcnn import groups, models

from ..config import Config

config = Config(
    name="upright_z2cnn",
    model=lambda rngs: models.Z2CNN(dropout_rate=0.0, rngs=rngs),
    symmetry=groups.p4(),
    claims_symmetry=False,
    data="upright_mnist",
    epochs=4,
)
