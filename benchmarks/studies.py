"""The studies: what is trained, who is compared, and how often. ``docs/study.md`` is written from this table."""
from __future__ import annotations

from dataclasses import dataclass

from dmsca_mm.attention import PEERS

PLAIN, START = 'none', 'start'
"""The network without attention, and the one that a transfer begins with."""
CORRUPTIONS, SEVERITIES = ('gaussian_noise', 'motion_blur', 'jpeg_compression'), (1, 3, 5)
"""One each of noise, blur and compression, of which the paper speaks."""


@dataclass(frozen=True)
class Contender:
    """One of those that are compared.

    Attributes:
        name: of its folder and in the tables.
        label: on the page and in the picture.
        plugin: of ``tools/train.py --plugin``; None takes the config's, which is DMSCA.
        options: entries of the config that differ from the other contenders'.
        family: of comparisons that Holm's correction counts together.
    """

    name: str
    label: str
    plugin: str | None
    options: tuple[str, ...] = ()
    family: str = 'attention'

    def model(self) -> list[str]:
        """Arguments of the tools that make its network."""
        return [] if self.plugin is None else ['--plugin', self.plugin]


@dataclass(frozen=True)
class Study:
    """Networks that differ in their attention and are trained alike.

    Attributes:
        title: on the page.
        config: file in ``configs/``.
        data: the folder that the config reads, from the top of the repository.
        metric: its name on the page.
        scale: from the tool's figure to points of a hundred.
        unit: what the schedule counts, ``'epochs'`` or ``'iters'``.
        length: of each contender's training.
        contenders: the first is the plain network, with which the others are compared.
        seeds: runs of each contender.
        start: length of the plain training before attention is put in; 0 trains from random weights.
        validations: of each contender's training.
        decay: the place in ``param_scheduler`` of the schedule that lasts to the end.
        options: entries of the config that all runs share.
    """

    title: str
    config: str
    data: str
    metric: str
    scale: float
    unit: str
    length: int
    contenders: tuple[Contender, ...]
    seeds: int
    start: int = 0
    validations: int = 1
    decay: int = 1
    options: tuple[str, ...] = ()

    def schedule(self, length: int, validations: int) -> list[str]:
        """Entries of a training of ``length`` that is validated so many times and saved at its end."""
        return [f'train_cfg.max_{self.unit}={length}', f'train_cfg.val_interval={length // validations}',
                f'param_scheduler.{self.decay}.end={length}', f'default_hooks.checkpoint.interval={length}']

    def weights(self, length: int) -> str:
        """The name of the last checkpoint."""
        return f'{"epoch" if self.unit == "epochs" else "iter"}_{length}.pth'


COMPARED = 'se', 'eca', 'ca', 'cbam'
"""The peers that the plan names."""
ATTENTIONS = (Contender(PLAIN, 'plain', PLAIN),
              *(Contender(peer.name, peer.label, peer.name) for peer in PEERS if peer.name in COMPARED),
              Contender('dmsca', 'DMSCA', 'dmsca'))
PAPER = Contender('dmsca_paper', "DMSCA, init='paper'", 'dmsca_paper')
RATE, DECAY = (f'optim_wrapper.paramwise_cfg.custom_keys.dmsca.{name}_mult' for name in ('lr', 'decay'))
PLUGIN = 'model.backbone.plugins.0'
RECIPES = tuple(Contender(name, label, None, (option,), 'recipe') for name, label, option in (
    ('rate_3', 'learning rate × 3', f'{RATE}=3'),
    ('rate_10', 'learning rate × 10', f'{RATE}=10'),
    ('no_decay', 'no weight decay', f'{DECAY}=0'),
    ('after_conv1', 'after the first convolution', f'{PLUGIN}.position=after_conv1'),
    ('late_stages', 'in the last two stages', f'{PLUGIN}.stages=(False,False,True,True)'),
    ('temperature_3', 'temperature 3', f'{PLUGIN}.cfg.temperature=3.0')))
"""DMSCA with one thing changed."""

STUDIES = {
    'detection': Study(
        'Detection: put into a trained Faster R-CNN, BCCD', 'bccd/faster_rcnn_r50_dmsca_bccd.py', 'data/bccd',
        'box mAP', 100.0, 'epochs', 4, ATTENTIONS, seeds=10, start=12, validations=4),
    'segmentation': Study(
        'Segmentation: put into a trained UPerNet, CamVid', 'camvid/upernet_r50_dmsca_camvid.py', 'data/camvid',
        'mIoU', 1.0, 'iters', 200, ATTENTIONS, seeds=10, start=800, validations=4),
    'classification': Study(
        'Classification: trained from random weights, CIFAR-10 (JPEG)', 'pretrain/resnet18_dmsca_cifar10_jpeg.py',
        'data/cifar10_jpeg', 'top-1 accuracy', 1.0, 'epochs', 6, (*ATTENTIONS, PAPER, *RECIPES), seeds=6,
        options=('model.backbone.strides=(2,2,2,1)', 'train_dataloader.batch_size=64',
                 'optim_wrapper.optimizer.lr=0.1')),
}
QUICK = {'quick': Study(
    'Built-in digits', 'pretrain/resnet50_dmsca_digits.py', 'data/digit_classes', 'top-1 accuracy', 1.0, 'epochs', 1,
    (ATTENTIONS[0], ATTENTIONS[-1]), seeds=2, start=1,
    options=tuple(f'{split}_dataloader.dataset.indices=50' for split in ('train', 'val', 'test')))}
"""Minutes, to see that everything runs."""
FULL = {
    'detection': Study(
        'Detection: put into a trained Faster R-CNN, COCO', 'faster_rcnn_r50_dmsca.py', 'data/coco', 'box mAP', 100.0,
        'epochs', 12, ATTENTIONS, seeds=5, start=12, validations=4),
    'segmentation': Study(
        'Segmentation: put into a trained UPerNet, ADE20K', 'upernet_r50_dmsca.py', 'data/ade/ADEChallengeData2016',
        'mIoU', 1.0, 'iters', 40000, ATTENTIONS, seeds=5, start=80000, validations=4, decay=0),
    'classification': Study(
        'Classification: trained from random weights, CIFAR-10 (JPEG)', 'pretrain/resnet18_dmsca_cifar10_jpeg.py',
        'data/cifar10_jpeg', 'top-1 accuracy', 1.0, 'epochs', 200, (*ATTENTIONS, PAPER, *RECIPES), seeds=5,
        options=('model.backbone.base_channels=64', 'model.backbone.stem_channels=64', 'model.head.in_channels=512')),
}
"""The same with the published networks, for GPUs."""
