"""Configs, options and assertions that the tests of commands share."""

DETECTOR = 'configs/digits/faster_rcnn_r50_dmsca_digits.py'
SEGMENTER = 'configs/digits/upernet_r50_dmsca_digits.py'


def data_options(digits, detector):
    """Options that point a digits config at a folder."""
    evaluators = [f'{split}_evaluator.ann_file={digits}/annotations/instances_validation.json'
                  for split in ('val', 'test')] if detector else []
    return [*(f'{split}_dataloader.dataset.data_root={digits}/' for split in ('train', 'val', 'test')), *evaluators]


def short_run(digits, detector, epochs):
    """Options for a short run: two iterations per epoch for a detector, ``epochs`` in total for a segmenter."""
    length = [f'train_cfg.max_{"epochs" if detector else "iters"}={epochs}', f'train_cfg.val_interval={epochs}',
              'default_hooks.checkpoint.interval=1']
    return ['--cfg-options', *data_options(digits, detector), *length, 'train_dataloader.batch_size=2',
            'default_hooks.logger.interval=1', 'default_hooks.visualization.interval=1']


def own_lines(finished):
    """Return the command's own lines on stdout, without the forks' message that OneDL is missing."""
    return [line for line in finished.stdout.splitlines() if 'Could not import OneDL' not in line]


def assert_one_line(finished, *words):
    """Assert exit code 2 and one line on stderr that holds the words."""
    assert finished.returncode == 2, finished.stderr
    lines = finished.stderr.strip().splitlines()
    assert len(lines) == 1, finished.stderr
    assert lines[0].startswith('error: ')
    assert all(str(word) in lines[0] for word in words), lines[0]
