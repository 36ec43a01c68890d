"""Configs, options and what the tests of commands expect of one that is refused."""

DETECTOR = 'configs/digits/faster_rcnn_r50_dmsca_digits.py'
SEGMENTER = 'configs/digits/upernet_r50_dmsca_digits.py'


def data_options(digits, detector):
    """Points a digits config at a folder."""
    evaluators = [f'{split}_evaluator.ann_file={digits}/annotations/instances_validation.json'
                  for split in ('val', 'test')] if detector else []
    return [*(f'{split}_dataloader.dataset.data_root={digits}/' for split in ('train', 'val', 'test')), *evaluators]


def short_run(digits, detector, epochs):
    """Options for a run of a few iterations: two an epoch for a detector, ``epochs`` in all for a segmenter."""
    length = [f'train_cfg.max_{"epochs" if detector else "iters"}={epochs}', f'train_cfg.val_interval={epochs}',
              'default_hooks.checkpoint.interval=1']
    return ['--cfg-options', *data_options(digits, detector), *length, 'train_dataloader.batch_size=2',
            'default_hooks.logger.interval=1', 'default_hooks.visualization.interval=1']


def own_lines(finished):
    """The command's own lines on stdout: the forks of mmdet and mmseg say there first that they go without OneDL."""
    return [line for line in finished.stdout.splitlines() if 'Could not import OneDL' not in line]


def assert_one_line(finished, *words):
    """Exit code 2, one line on stderr that holds the words, nothing on stdout."""
    assert finished.returncode == 2, finished.stderr
    lines = finished.stderr.strip().splitlines()
    assert len(lines) == 1, finished.stderr
    assert lines[0].startswith('error: ')
    assert all(str(word) in lines[0] for word in words), lines[0]
