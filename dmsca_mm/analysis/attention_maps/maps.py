"""Maps that the DMSCA modules of a model compute for an image."""
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...attention import DMSCA, Explanation
from ...errors import UsageError
from ..view import View


class Place(NamedTuple):
    """The place of a module in a ResNet.

    Attributes:
        name: name of the module in the model.
        stage: counted from 1.
        block: within the stage, counted from 1.
    """

    name: str
    stage: int
    block: int


class Attention(NamedTuple):
    """The maps of one DMSCA module for one image, at the size of the image, NaN where the model does not see it.

    Attributes:
        place: place of the module.
        channel: (C,).
        spatial, gate, activation, total: (H, W).
        temperature: τ.
        ceiling: s, the upper bound of a gate: 2 if 1 is neutral, else 1.
    """

    place: Place
    channel: np.ndarray
    spatial: np.ndarray
    gate: np.ndarray
    activation: np.ndarray
    total: np.ndarray
    temperature: float
    ceiling: float

    def is_neutral(self, values: np.ndarray) -> bool:
        """Return True if a gate is neutral: 1 everywhere, up to rounding when it was resized."""
        return self.ceiling == 2 and bool(np.nanmax(np.abs(values - 1)) < 1e-6)

    @property
    def is_identity(self) -> bool:
        """True if every gate is neutral, so the module still returns its input."""
        return all(map(self.is_neutral, (self.channel, self.spatial, self.activation, self.total)))


def attentions(model: nn.Module) -> list[Place]:
    """Return every DMSCA module in the blocks of a model's backbone, in block order."""
    return [place for name, module in model.named_modules()
            if isinstance(module, DMSCA) and (place := _place(name)) is not None]


def stage_ends(model: nn.Module) -> list[Place]:
    """Return the last block of each stage of a model's backbone, with or without a plugin, in stage order."""
    found: dict[int, Place] = {}
    for name, _ in model.named_modules():
        if re.search(r'(^|\.)layer\d+\.\d+$', name) and (place := _place(name)) is not None:
            found[place.stage] = place
    return [found[stage] for stage in sorted(found)]


def _place(name: str) -> Place | None:
    """Return the place of a module by its name; None outside of the backbone, as in the shared head of mmdet's C4."""
    found = re.search(r'(?:^|backbone\.(?:\w+\.)*)layer(\d+)\.(\d+)(?:\.|$)', name)
    return found and Place(name, int(found[1]), int(found[2]) + 1)


def choose(places: Sequence[Place], stages: Sequence[int] | None = None, blocks: str = 'last') -> list[Place]:
    """Select places of a model.

    Args:
        places: all places.
        stages: stages to select, counted from 1; None for all.
        blocks: ``'last'`` of each stage or ``'all'``.

    Raises:
        UsageError: a stage has no place.
    """
    available = sorted({place.stage for place in places})
    for stage in stages or ():
        if stage not in available:
            raise UsageError(f'stage {stage} has no map: choose from {", ".join(map(str, available))}')
    found = [place for place in places if stages is None or place.stage in stages]
    if blocks == 'all':
        return found
    return list({place.stage: place for place in found}.values())


@torch.no_grad()
def explain(model: nn.Module, places: Sequence[Place], inputs: Tensor) -> list[Explanation]:
    """Compute the maps of DMSCA modules for a batch of images.

    Args:
        model: a detector or segmenter with ``extract_feat``.
        places: places of the modules.
        inputs: preprocessed images, (N, 3, H, W).
    """
    features: dict[nn.Module, Tensor] = {}
    modules = [model.get_submodule(place.name) for place in places]
    handles = [module.register_forward_pre_hook(lambda module, arguments: features.update({module: arguments[0]}))
               for module in modules]
    try:
        model.extract_feat(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return [module.explain(features[module]) for module in modules]


def on_image(values: Tensor, padded: tuple[int, int], view: View) -> Tensor:
    """Resize a map to the model's input, and put the part that shows the image where it is in the image.

    Pixels of the image that the model does not see, for example outside of a centre crop, are NaN.

    Args:
        values: (h, w), covers the model's input.
        padded: height and width of the model's input, in pixels.
        view: where the image is in the input.
    """
    resized = functional.interpolate(values[None, None].float(), padded, mode='bilinear', align_corners=False)
    (top, left), (bottom, right) = view.inside.round().astype(int)
    part = resized[:, :, top:bottom, left:right]
    (top, left), (bottom, right) = view.seen.round().astype(int)
    found = torch.full(view.size, torch.nan)
    found[top:bottom, left:right] = functional.interpolate(
        part, (int(bottom - top), int(right - left)), mode='bilinear', align_corners=False)[0, 0].cpu()
    return found
