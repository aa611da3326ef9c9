"""How a group element moves pixels, fields and filters: (g·f)(x) = f(g⁻¹x).

The exact actions only permute array entries. They take NumPy and JAX arrays of any type, return
the same, and round nothing. Elements are given by their index in `group.elements`, and positions
are counted from the centre of the array, so that even and odd sizes are alike. What interpolates
is not exact, and has `interpolated` in its name.
"""

from ._axes import mirrored_axes as mirrored_axes
from ._axes import signed_permutation as signed_permutation
from ._axes import skewed_axes as skewed_axes
from ._axes import swapped_axes as swapped_axes
from ._components import act_on_components as act_on_components
from ._components import act_on_field as act_on_field
from ._diffeomorphism import folds as folds
from ._diffeomorphism import max_entropy_displacement as max_entropy_displacement
from ._diffeomorphism import temperature_of as temperature_of
from ._diffeomorphism import warp_interpolated as warp_interpolated
from ._exact import Action as Action
from ._exact import act_on_group_axis as act_on_group_axis
from ._exact import act_on_image as act_on_image
from ._exact import act_on_invariant as act_on_invariant
from ._exact import act_on_orbit as act_on_orbit
from ._exact import act_on_regular as act_on_regular
from ._exact import act_on_space as act_on_space
from ._infinitesimal import GENERATORS as GENERATORS
from ._infinitesimal import act_infinitesimally as act_infinitesimally
from ._infinitesimal import generator_velocity as generator_velocity
from ._interpolated import rotate_interpolated as rotate_interpolated
from ._interpolated import shift_interpolated as shift_interpolated
from ._quotient import act_on_quotient as act_on_quotient
from ._quotient import take_slots as take_slots
from ._skewed import AnyArray as AnyArray
from ._skewed import check_sides as check_sides
from ._skewed import fill_outside as fill_outside
from ._skewed import permute_axis as permute_axis
from ._skewed import preserved_pixels as preserved_pixels
