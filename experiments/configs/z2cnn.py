"""Z2CNN of Cohen & Welling 2016: the plain CNN beside the P4CNN, and the control.

It is the P4CNN of the trivial group, with 20 channels (21 750 parameters), here without the
dropout of the published 300 epochs, which on 12 epochs costs accuracy. Verified against p4, it must
be found not to be invariant.

    python -m experiments.train z2cnn

Published, on the paper's schedule (300 epochs): 5.03 ± 0.20 % test error.
"""

from gcnn import groups, models

from ..config import Config

config = Config(
    name="z2cnn",
    model=lambda rngs: models.Z2CNN(dropout_rate=0.0, rngs=rngs),
    symmetry=groups.p4(),
    claims_symmetry=False,
)
