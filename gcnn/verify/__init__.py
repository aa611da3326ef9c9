"""Is it really equivariant? Laws and measurements for any callable, as values that print.

The judge does not know the accused: nothing here imports `gcnn.nn`.
"""

from ._certificate import integer_certificate as integer_certificate
from ._consistency import ConsistencyReport as ConsistencyReport
from ._deformation import deformation_curve as deformation_curve
from ._deformation import deformation_stability as deformation_stability
from ._deformation_report import DeformationCurve as DeformationCurve
from ._deformation_report import DeformationReport as DeformationReport
from ._equivariance import EquivarianceReport as EquivarianceReport
from ._equivariance import equivariance as equivariance
from ._laws import LawReport as LawReport
from ._laws import group_laws as group_laws
from ._layers import LayerReport as LayerReport
from ._layers import LayerRow as LayerRow
from ._layers import layer_equivariance as layer_equivariance
from ._ledger import Account as Account
from ._ledger import Ledger as Ledger
from ._ledger import LedgerRow as LedgerRow
from ._ledger import ledger as ledger
from ._lie_derivative import LieDerivativeReport as LieDerivativeReport
from ._lie_derivative import lie_derivative as lie_derivative
from ._masks import boundary_band as boundary_band
from ._masks import boundary_iou as boundary_iou
from ._masks import mask_iou as mask_iou
from ._masks import surface_distance as surface_distance
from ._rotation import RotationReport as RotationReport
from ._rotation import rotation_consistency as rotation_consistency
from ._rotation_equivariance import RotationEquivarianceReport as RotationEquivarianceReport
from ._rotation_equivariance import rotation_equivariance as rotation_equivariance
from ._segmentation import segmentation_equivariance as segmentation_equivariance
from ._segmentation_report import MaskRow as MaskRow
from ._segmentation_report import SegmentationReport as SegmentationReport
from ._shift import ShiftReport as ShiftReport
from ._shift import crop_consistency as crop_consistency
from ._shift import shift_consistency as shift_consistency
from ._shift_equivariance import ShiftEquivarianceReport as ShiftEquivarianceReport
from ._shift_equivariance import shift_equivariance as shift_equivariance
