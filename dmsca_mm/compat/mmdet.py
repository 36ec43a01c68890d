"""Scores of mmdet's one-stage heads with their gradient; ``BaseDenseHead.predict_by_feat`` of mmdet 3 detaches them."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def attached_scores() -> Iterator[None]:
    """Inside this block the heads do not detach their scores before they choose boxes."""
    from mmdet.models.dense_heads import base_dense_head
    detaching = base_dense_head.select_single_mlvl
    base_dense_head.select_single_mlvl = lambda tensors, image, detach: detaching(tensors, image, detach=False)
    try:
        yield
    finally:
        base_dense_head.select_single_mlvl = detaching
