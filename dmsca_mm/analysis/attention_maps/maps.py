"""Where a model looks: what its DMSCA modules computed for an image, and Grad-CAM for models that have no such maps."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...attention import DMSCA, Explanation
from ...errors import UsageError


class Place(NamedTuple):
    """A module of a ResNet.

    Attributes:
        name: in the model.
        stage: counts from 1.
        block: of its stage, counts from 1.
    """

    name: str
    stage: int
    block: int


def attentions(model: nn.Module) -> list[Place]:
    """Every DMSCA module in the blocks of a model's backbone, in the order of the blocks."""
    return [place for name, module in model.named_modules()
            if isinstance(module, DMSCA) and (place := _place(name)) is not None]


def stage_ends(model: nn.Module) -> list[Place]:
    """The last block of each of a model's stages, plugin or not, in the order of the stages."""
    found: dict[int, Place] = {}
    for name, _ in model.named_modules():
        if re.search(r'(^|\.)layer\d+\.\d+$', name) and (place := _place(name)) is not None:
            found[place.stage] = place
    return [found[stage] for stage in sorted(found)]


def _place(name: str) -> Place | None:
    found = re.search(r'(?:^|\.)layer(\d+)\.(\d+)(?:\.|$)', name)
    return found and Place(name, int(found[1]), int(found[2]) + 1)


def choose(places: Sequence[Place], stages: Sequence[int] | None = None, blocks: str = 'last') -> list[Place]:
    """Some of a model's places.

    Args:
        places: all of them.
        stages: those of these stages, counted from 1; None for all.
        blocks: ``'last'`` of each stage or ``'all'``.

    Raises:
        UsageError: a stage that has none.
    """
    there = sorted({place.stage for place in places})
    for stage in stages or ():
        if stage not in there:
            raise UsageError(f'stage {stage}: there is nothing to see; choose from {", ".join(map(str, there))}')
    found = [place for place in places if stages is None or place.stage in stages]
    if blocks == 'all':
        return found
    return list({place.stage: place for place in found}.values())


@torch.no_grad()
def explain(model: nn.Module, places: Sequence[Place], inputs: Tensor) -> list[Explanation]:
    """What DMSCA modules computed for some images.

    Args:
        model: a detector or segmenter with ``extract_feat``.
        places: of its modules.
        inputs: preprocessed images, (N, 3, H, W).
    """
    seen: dict[str, Tensor] = {}
    modules = {place.name: model.get_submodule(place.name) for place in places}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            seen[name] = arguments[0]
        return hook
    handles = [module.register_forward_pre_hook(keep(name)) for name, module in modules.items()]
    try:
        model.extract_feat(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return [module.explain(seen[name]) for name, module in modules.items()]


def grad_cam(model: nn.Module, place: Place, score: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Where a block's features raise a score, (N, h, w), at least 0.

    Args:
        model: holds the block.
        place: of the block.
        score: from the images to what is explained, (N,), differentiable.
        inputs: preprocessed images, (N, 3, H, W).

    Raises:
        UsageError: the package captum is missing.

    Source:
        Selvaraju et al. 2017, arXiv 1610.02391, as captum computes it.
    """
    try:
        from captum.attr import LayerGradCam
    except ImportError:
        raise UsageError('Grad-CAM needs the package captum: pip install captum') from None
    # Frozen stages have no gradient of their own; from the images it flows through them.
    inputs = inputs.detach().requires_grad_()
    cam = LayerGradCam(score, model.get_submodule(place.name)).attribute(inputs, relu_attributions=True)
    return cam.detach().squeeze(1)


def on_image(values: Tensor, padded: tuple[int, int], image: tuple[int, int], original: tuple[int, int]) -> Tensor:
    """A map at the size of the file that the model saw: enlarged, freed of padding, and scaled back.

    Args:
        values: (h, w), over the padded image.
        padded: height and width of the model's input, in pixels.
        image: height and width of the image in it, at the top left, in pixels.
        original: height and width of the file, in pixels.
    """
    whole = functional.interpolate(values[None, None].float(), padded, mode='bilinear', align_corners=False)
    part = whole[:, :, :image[0], :image[1]]
    return functional.interpolate(part, original, mode='bilinear', align_corners=False)[0, 0].cpu()
