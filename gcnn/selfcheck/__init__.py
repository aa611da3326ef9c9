"""Every layer under every group, certified on the device at hand, with controls that must fail.

What the command `python -m gcnn verify` runs. It stands above `nn` and `verify`, which do not
know each other.
"""

from ._case import Case as Case
from ._cases import cases as cases
from ._check import KINDS as KINDS
from ._check import Outcome as Outcome
from ._check import certify as certify
from ._check import certify_each as certify_each
from ._check import check as check
from ._groups import ALL_GROUPS as ALL_GROUPS
from ._groups import GROUPS as GROUPS
