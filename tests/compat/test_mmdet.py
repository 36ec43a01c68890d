"""Inside the context manager mmdet's one-stage heads keep the gradient of their scores."""
import torch

from dmsca_mm.compat.mmdet import attached_scores


def test_scores_keep_their_gradient_inside_the_block_alone():
    from mmdet.models.dense_heads import base_dense_head
    scores = torch.ones(1, 2, 3, 3, requires_grad=True)

    def keeps_gradient():
        return base_dense_head.select_single_mlvl([scores], 0, detach=True)[0].requires_grad

    assert not keeps_gradient()
    with attached_scores():
        assert keeps_gradient()
    assert not keeps_gradient()
