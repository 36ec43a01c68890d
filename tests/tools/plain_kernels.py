"""A config's custom import: convolutions whose result for an image does not depend on the images beside it."""
import torch

torch.backends.mkldnn.set_flags(False)
