"""Training and testing in several processes give the results of one process.

If a loss is divided by a count, mmdet and mmseg count in each process. The detector's images have the same boxes, so
that the counts agree; the segmenter's losses divide by the number of pixels. BatchNorm is in eval mode in the backbones
(on GPUs SyncBN would synchronise it); the segmenter's heads use GroupNorm.
"""
import json
import pickle
from pathlib import Path

import pytest
import torch
from commands import DETECTOR, SEGMENTER, data_options

STEPS = 3
IMAGES = 4 * STEPS
SHARED = '''
custom_imports = dict(imports=['dmsca_mm', 'plain_kernels'])
train_dataloader = dict(num_workers=0, persistent_workers=False)
optim_wrapper = dict(_delete_=True, optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1, max_keep_ckpts=-1))
'''
CONFIGS = {
    'detector': ('retinanet_r50_dmsca_digits.py', '''
model = dict(backbone=dict(norm_eval=True))
train_cfg = dict(max_epochs=1, val_interval=10)
'''),
    'segmenter': ('upernet_r50_dmsca_digits.py', '''
groups = dict(_delete_=True, type='GN', num_groups=8)
model = dict(backbone=dict(norm_eval=True), decode_head=dict(norm_cfg=groups),
             auxiliary_head=dict(norm_cfg=groups, loss_decode=dict(class_weight=None)))
train_cfg = dict(max_iters=3, val_interval=10)
'''),
}


@pytest.fixture(scope='session')
def alike(tmp_path_factory):
    """Different training images with the same boxes."""
    from dmsca_mm.datasets import digits
    root = tmp_path_factory.mktemp('alike') / 'digits'
    digits.make_digits(root, digits.DigitsParameters(training=IMAGES, validation=1, size=96))
    path = root / 'annotations/instances_training.json'
    content = json.loads(path.read_text())
    first = content['images'][0]['id']
    boxes = [box for box in content['annotations'] if box['image_id'] == first]
    content['annotations'] = [{**box, 'image_id': image['id'], 'id': place * 100 + number}
                              for place, image in enumerate(content['images']) for number, box in enumerate(boxes)]
    path.write_text(json.dumps(content))
    return root


@pytest.fixture(scope='module', params=['detector', pytest.param('segmenter', marks=pytest.mark.soak)])
def trained(request, alike, repository, tmp_path_factory, call_in):
    """Train on twelve images in three steps with a number of processes; return the work directory."""
    name, changes = CONFIGS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    config = folder / 'config.py'
    config.write_text(f"_base_ = {str(repository / 'configs/digits' / name)!r}\n{SHARED}{changes}")
    done = {}

    def run(processes):
        if processes not in done:
            done[processes] = work = folder / str(processes)
            tool = ('train.py', config) if processes == 1 else ('dist_train.sh', config, processes)
            finished = call_in(folder, *tool, '--work-dir', work, '--cfg-options',
                               *data_options(alike, request.param == 'detector'),
                               f'train_dataloader.batch_size={4 // processes}', OMP_NUM_THREADS='1',
                               PYTHONPATH=str(Path(__file__).parent))
            assert finished.returncode == 0, finished.stderr
        return done[processes]
    return run


def state(work, step):
    return torch.load(work / f'iter_{step}.pth', weights_only=False)


def assert_close(one, other):
    """Assert equality up to fp32 rounding through some fifty layers.

    The tolerance is a ten-thousandth of each tensor's largest value, and at least one rounding error of the largest
    value of all tensors: some gradients are zero except for rounding.
    """
    assert one.keys() == other.keys()
    values = {name: value for name, value in one.items() if torch.is_tensor(value) and value.is_floating_point()}
    rounding = torch.finfo(torch.float32).eps * max(value.abs().max() for value in values.values())
    for name, value in values.items():
        assert (value - other[name]).abs().max() <= max(1e-4 * value.abs().max(), rounding), name


@pytest.mark.parametrize('processes', [2, pytest.param(4, marks=pytest.mark.soak)])
def test_gradients_and_weights_equal_those_of_one_process(trained, processes):
    alone, shared = trained(1), trained(processes)
    # After the first step the momentum is the gradient.
    gradients = [{place: values['momentum_buffer'] for place, values in state(work, 1)['optimizer']['state'].items()}
                 for work in (alone, shared)]
    assert len(gradients[0]) > 100
    assert_close(*gradients)
    assert_close(state(alone, STEPS)['state_dict'], state(shared, STEPS)['state_dict'])
    assert not torch.equal(state(alone, 1)['optimizer']['state'][0]['momentum_buffer'],
                           state(alone, STEPS)['optimizer']['state'][0]['momentum_buffer']), 'it trains'


@pytest.mark.parametrize(('config', 'processes'), [(DETECTOR, 2), pytest.param(SEGMENTER, 2, marks=pytest.mark.soak),
                                                   pytest.param(DETECTOR, 3, marks=pytest.mark.soak)])
def test_metrics_and_predictions_equal_those_of_one_process(config, processes, digits, call, repository, tmp_path):
    """Five images, divisible by neither two nor three; one thread each, because threads change the order of sums."""
    detector = config == DETECTOR
    weights = tmp_path / 'weights.pth'
    from mmengine.registry import MODELS, init_default_scope

    from dmsca_mm.runtime.config import load_config
    settings = load_config(str(repository / config))
    init_default_scope(settings.default_scope)
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(settings.model).state_dict()), weights)
    # An untrained detector has low scores: without a threshold some proposals match, regardless of the class.
    options = ['model.test_cfg.rcnn.score_thr=0.0', 'test_evaluator.metric=proposal'] if detector else []
    found = []
    for number in (1, processes):
        tool = ('test.py', config, weights) if number == 1 else ('dist_test.sh', config, weights, number)
        out = tmp_path / f'{number}.pkl' if detector else tmp_path / f'maps{number}'
        finished = call(*tool, '--work-dir', tmp_path / str(number), '--out', out, '--cfg-options',
                        *data_options(digits, detector), *options, OMP_NUM_THREADS='1')
        assert finished.returncode == 0, finished.stderr
        metrics = json.loads(next((tmp_path / str(number)).glob('*/*.json')).read_text().splitlines()[-1])
        found.append(({name: value for name, value in metrics.items() if 'time' not in name}, contents(out)))
    assert found[0] == found[1]
    assert len(found[0][1]) == 5
    assert any(value > 0 for value in found[0][0].values()), 'equal zeros would prove nothing'


def contents(out):
    """Return the predictions by image, in types that compare exactly."""
    if out.is_dir():
        return {path.name: path.read_bytes() for path in out.iterdir()}
    with out.open('rb') as file:
        return {image['img_id']: {name: value.tolist() for name, value in image['pred_instances'].items()}
                for image in pickle.load(file)}
