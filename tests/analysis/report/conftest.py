"""Hand-written work directories in mmengine's layout."""
import json

import pytest
from loglines import attended, trained

from dmsca_mm.analysis.report.logs import read_history

LOG = """2026/11/23 00:31:59 - mmengine - INFO -
------------------------------------------------------------
System environment:
    sys.platform: linux
    Python: 3.11.7 (main) [GCC 12.2.0]
    CUDA_HOME: /usr/local/cuda
    PyTorch: 2.13.0+cpu
    PyTorch compiling details: PyTorch built with:
  - GCC 13.3
  - Build settings: CXX_COMPILER=/opt/rh/c++,

    OpenCV: 5.0.0
    MMEngine: 0.10.7

Runtime environment:
    mp_cfg: {'opencv_num_threads': 0}
    seed: 0
    GPU number: 2
------------------------------------------------------------

2026/11/23 00:32:00 - mmengine - INFO - Config:
model = dict(type='Detector')
2026/11/23 00:42:27 - mmengine - INFO - done
"""


@pytest.fixture
def write_run(tmp_path):
    """Write a run to the work directory: scalars (dicts or raw lines), text log and config."""
    def write(name, lines, log=LOG, config=''):
        run = tmp_path / 'work' / name
        (run / 'vis_data').mkdir(parents=True)
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (run / 'vis_data/scalars.json').write_text('\n'.join(texts))
        (run / f'{name}.log').write_text(log)
        if config:
            (run / 'vis_data/config.py').write_text(config)
        return run
    return write


@pytest.fixture
def write_test(tmp_path):
    """Write a test to the work directory: metrics (a dict or raw text) and text log."""
    def write(name, metrics, log=''):
        run = tmp_path / 'work' / name
        run.mkdir(parents=True)
        (run / f'{name}.json').write_text(metrics if isinstance(metrics, str) else json.dumps(metrics))
        (run / f'{name}.log').write_text(log)
        return run
    return write


@pytest.fixture
def history(write_run, tmp_path):
    """The history of a training of two epochs, resumed once and validated twice."""
    modules = ('backbone.layer1.0.dmsca', 'backbone.layer1.1.dmsca', 'backbone.layer3.0.dmsca')
    validated = {'coco/bbox_mAP': 0.25, 'coco/bbox_mAP_l': -1.0, 'time': 0.1}
    write_run('20260101_000000', [trained(1), attended(1, 1.0, *modules), trained(2), attended(2, 2.0, *modules),
                                  validated | dict(step=1)])
    write_run('20261123_003159', [trained(3, epoch=2, time=0.7), trained(4, epoch=2), '{"cut',
                                  validated | {'coco/bbox_mAP': 0.5, 'step': 2}])
    return read_history(tmp_path / 'work')
