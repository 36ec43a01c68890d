"""A classifier on known and held-out writers and photographs: the images of each pair, and the accuracy."""
import sys

import held_out
import numpy as np
import pytest
from mmengine.structures import BaseDataElement

from dmsca_mm.datasets.composing import material


def test_every_pair_is_measured_with_a_real_classifier(untrained, monkeypatch, capsys):
    _, weights = untrained('classifier')
    drawn, compose = [], held_out.compose
    monkeypatch.setattr(held_out, 'compose', lambda rng, grounds, glyphs, *rest: drawn.append(
        (len(grounds), glyphs[0])) or compose(rng, grounds, glyphs, *rest))
    monkeypatch.setattr(sys, 'argv', ['held_out.py', weights, '--images', '2'])
    held_out.main()
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert [line.rpartition(':')[0] for line in lines] == [
        'known writers, known photographs', 'known writers, held-out photographs',
        'held-out writers, known photographs', 'held-out writers, held-out photographs']
    known, other = material('training'), material('validation')
    assert [count for count, _ in drawn[::2]] == [len(known[0]), len(other[0])] * 2
    for place, (_, glyphs, digits) in enumerate((known, known, other, other)):
        assert np.array_equal(drawn[2 * place][1], glyphs[digits == 0][0])


@pytest.mark.parametrize(('answer', 'share'), [(lambda index: index % 10, 1.0), (lambda index: 3, 0.1)])
def test_share_counts_the_digits_named_rightly(untrained, monkeypatch, answer, share):
    config, model = held_out.open_model(*untrained('classifier'))
    monkeypatch.setattr(held_out, 'BATCH', 7)
    asked = iter(range(20))
    monkeypatch.setattr(model, 'test_step', lambda batch: [
        BaseDataElement(pred_label=answer(next(asked))) for _ in batch['inputs']])
    assert held_out.accuracy(config, model, 'training', 'validation', 20, 0) == share
