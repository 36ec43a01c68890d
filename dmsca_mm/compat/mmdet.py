"""Keep the gradient of scores in mmdet's one-stage heads; mmdet 3's ``BaseDenseHead.predict_by_feat`` detaches them."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def attached_scores() -> Iterator[None]:
    """Keep the heads from detaching their scores before they select boxes, inside this block."""
    from mmdet.models.dense_heads import base_dense_head
    detaching = base_dense_head.select_single_mlvl
    base_dense_head.select_single_mlvl = lambda tensors, image, detach: detaching(tensors, image, detach=False)
    try:
        yield
    finally:
        base_dense_head.select_single_mlvl = detaching
