"""Custom import of a config: the convolution of an image does not depend on the other images of the batch."""
import torch

torch.backends.mkldnn.set_flags(False)
