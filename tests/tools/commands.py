"""Configs and options that the tests of commands share."""

DETECTOR = 'configs/digits/faster_rcnn_r50_dmsca_digits.py'
SEGMENTER = 'configs/digits/upernet_r50_dmsca_digits.py'


def data_options(digits, detector):
    """Points a digits config at a folder."""
    evaluators = [f'{split}_evaluator.ann_file={digits}/annotations/instances_validation.json'
                  for split in ('val', 'test')] if detector else []
    return [*(f'{split}_dataloader.dataset.data_root={digits}/' for split in ('train', 'val', 'test')), *evaluators]
