"""Measure the time that attentions add to a ResNet in onnxruntime: ``python benchmarks/onnx_cost.py``.

Each backbone is exported with the attention in every block. The backbones take turns in one process, in an order that
is reshuffled each round; ratios are computed within a round. ``contenders.py`` lists the contenders.
"""
from __future__ import annotations

import argparse
import random
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from contenders import CONTENDERS, Contender
from cost import write_csv
from runs import ROOT
from setting import Row, Setting
from torch import nn

from dmsca_mm.errors import exit_on_usage_error

NAMES = 'plain', 'se', 'ca', 'cbam', 'fast'
COLUMNS = ('contender', 'nodes', 'ms', 'ratio', 'ratio_q1', 'ratio_q3', 'rounds', 'depth', 'size', 'batch',
           'onnxruntime', 'machine', 'threads', 'torch', 'date')


def session_of(contender: Contender, depth: int, image: torch.Tensor, folder: Path) -> onnxruntime.InferenceSession:
    """Export the backbone with an attention and load it in onnxruntime."""
    backbone, path = contender.backbone(depth), folder / f'{contender.label}.onnx'
    nn.Module.train(backbone, False)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(backbone, (image,), path, dynamo=True, verbose=False, opset_version=18, input_names=['x'],
                          external_data=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.optimized_model_filepath = str(path.with_suffix('.optimized'))
    return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])


def measure(depth: int, size: int, batch: int, rounds: int) -> list[Row]:
    """Measure and return a row for each contender.

    Args:
        depth: of the ResNet.
        size: side of the images in pixels.
        batch: images.
        rounds: number of rounds, in each of which every contender runs once.
    """
    image = torch.randn(batch, 3, size, size)
    with tempfile.TemporaryDirectory() as folder:
        sessions = {CONTENDERS[name].label: session_of(CONTENDERS[name], depth, image, Path(folder)) for name in NAMES}
        nodes = {label: len(onnx.load(Path(folder) / f'{label}.optimized').graph.node) for label in sessions}
    seconds: dict[str, list[float]] = {label: [] for label in sessions}
    for turn in range(rounds + 3):
        for label in random.sample([*sessions], len(sessions)):
            begun = time.perf_counter()
            sessions[label].run(None, {'x': image.numpy()})
            if turn >= 3:  # the first ones warm up
                seconds[label].append(time.perf_counter() - begun)
    machine = Setting().describe()
    shared = dict(rounds=rounds, depth=depth, size=size, batch=batch, onnxruntime=onnxruntime.__version__,
                  **{name: machine[name] for name in ('machine', 'threads', 'torch', 'date')})
    rows = []
    for label, own in seconds.items():
        low, median, high = np.percentile(np.divide(own, seconds['plain']), (25, 50, 75)).round(4).tolist()
        rows.append(dict(contender=label, nodes=nodes[label], ms=round(1e3 * float(np.median(own)), 3), ratio=median,
                         ratio_q1=low, ratio_q3=high, **shared))
    return rows


def main() -> None:
    """Parse, measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--depth', type=int, default=50, choices=[18, 34, 50, 101])
    parser.add_argument('--size', type=int, default=256, help='side of the images in pixels')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results', help='folder of the table')
    chosen = parser.parse_args()
    rows = measure(chosen.depth, chosen.size, chosen.batch, chosen.rounds)
    for row in rows:
        print(f'{row["contender"]:24}{row["nodes"]:6} nodes{row["ms"]:10.2f} ms{row["ratio"]:8.3f} '
              f'({row["ratio_q1"]:.3f} to {row["ratio_q3"]:.3f})')
    size = '' if (chosen.size, chosen.batch) == (256, 1) else f'_{chosen.size}_b{chosen.batch}'
    write_csv(rows, chosen.out / f'onnx_resnet{chosen.depth}{size}_cpu.csv', COLUMNS)


if __name__ == '__main__':
    exit_on_usage_error(main)
