"""Architectures as functions of a group: with p1 each is the plain CNN.

The networks for rotated MNIST and for CIFAR-10 of Cohen & Welling 2016; and two to study shifts, a
classifier and a U-Net, as functions also of the way they sample down.
"""

from ._all_cnn import AllCNN as AllCNN
from ._digit_resnet import DigitResNet as DigitResNet
from ._downsampling import Downsampling as Downsampling
from ._downsampling import blur_downsampling as blur_downsampling
from ._downsampling import learned_downsampling as learned_downsampling
from ._downsampling import max_blur_downsampling as max_blur_downsampling
from ._downsampling import max_downsampling as max_downsampling
from ._downsampling import polyphase_downsampling as polyphase_downsampling
from ._downsampling import strided_downsampling as strided_downsampling
from ._p4cnn import P4CNN as P4CNN
from ._p4cnn import Z2CNN as Z2CNN
from ._p4cnn import P4CNNRotationPooling as P4CNNRotationPooling
from ._resnet import ResNet as ResNet
from ._shift_cnn import ShiftCNN as ShiftCNN
from ._unet import UNet as UNet
