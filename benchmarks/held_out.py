"""Measure how many errors of a digit classifier come from new writers and how many from new photographs.

``python benchmarks/held_out.py work_dirs/resnet50_dmsca_digits/epoch_8.pth`` tests every combination of training and
held-out writers and photographs; all images are new.
"""
from __future__ import annotations

import argparse
import tempfile
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from runs import ROOT
from torch import nn

from dmsca_mm.analysis.inference import Images, open_model
from dmsca_mm.datasets.composing import compose, material
from dmsca_mm.datasets.digit_classes import CLASSES, SCALES, DigitClassesParameters
from dmsca_mm.errors import UsageError, exit_on_usage_error

CLASSIFIER = ROOT / 'configs' / 'pretrain' / 'resnet50_dmsca_digits.py'
SPLITS = {'training': 'known', 'validation': 'held-out'}
BATCH = 50


def accuracy(config: Config, model: nn.Module, writers: str, photographs: str, count: int, seed: int) -> float:
    """Return the accuracy of a classifier, from 0 to 1.

    Args:
        config: of the classifier.
        model: the classifier.
        writers, photographs: keys of ``SPLITS``.
        count: number of images, cycling through the digits.
        seed: of the images.
    """
    (grounds, *_), (_, glyphs, digits) = material(photographs), material(writers)
    images, right = Images(config), 0
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, count, BATCH):
            paths = []
            for index in range(first, min(first + BATCH, count)):
                among = digits == index % CLASSES
                # Five numbers give a random stream that the data sets, with at most four, do not use.
                rng = np.random.default_rng([seed, *map(list(SPLITS).index, (writers, photographs)), index, CLASSES])
                sample = compose(rng, grounds, glyphs[among], digits[among], 1, DigitClassesParameters.size, SCALES)
                paths.append(Path(folder, f'{index}.jpg'))
                paths[-1].write_bytes(cv2.imencode('.jpg', sample.image)[1])
            with torch.no_grad():
                found = model.test_step(images.batch(paths))
            right += sum(int(one.pred_label) == index % CLASSES for index, one in enumerate(found, first))
    return right / count


def main() -> None:
    """Parse, measure, print a line for each pair."""
    parser = argparse.ArgumentParser(description='A classifier of digits on known and held-out writers and photographs',
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('checkpoint', help='of configs/pretrain/resnet50_dmsca_digits.py')
    parser.add_argument('--images', type=int, default=2000, help='for each pair')
    parser.add_argument('--seed', type=int, default=0, help='of the images')
    chosen = parser.parse_args()
    if chosen.images < 1 or chosen.seed < 0:
        raise UsageError(f'--images is {chosen.images} and --seed {chosen.seed}: give at least 1 and 0')
    config, model = open_model(str(CLASSIFIER), chosen.checkpoint)
    for writers, photographs in product(SPLITS, SPLITS):
        share = accuracy(config, model, writers, photographs, chosen.images, chosen.seed)
        print(f'{SPLITS[writers]} writers, {SPLITS[photographs]} photographs: {100 * share:.2f} %', flush=True)


if __name__ == '__main__':
    exit_on_usage_error(main)
