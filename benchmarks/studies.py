"""Plans of the studies: trainings, contenders and seeds. ``docs/study.md`` is generated from this table."""
from __future__ import annotations

from dataclasses import dataclass, replace

from dmsca_mm.attention import PEERS

PLAIN, START = 'none', 'start'
"""Names of the network without attention and of the one that a transfer starts from."""
CORRUPTIONS, SEVERITIES = ('gaussian_noise', 'motion_blur', 'jpeg_compression'), (1, 3, 5)
"""One each of noise, blur and compression, which the paper mentions."""


@dataclass(frozen=True)
class Contender:
    """A network to compare.

    Attributes:
        name: of its folder and in the tables.
        label: on the page and in the picture.
        plugin: of ``tools/train.py --plugin``; None keeps the config's, which is DMSCA.
        options: entries of the config that differ from the other contenders'.
        family: comparisons that share one Holm correction.
        seeds: number of runs; None for the study's.
    """

    name: str
    label: str
    plugin: str | None
    options: tuple[str, ...] = ()
    family: str = 'attention'
    seeds: int | None = None

    def model(self) -> list[str]:
        """Return the arguments of the tools that select its plugin."""
        return [] if self.plugin is None else ['--plugin', self.plugin]


@dataclass(frozen=True)
class Hint:
    """A difference of DMSCA that some seeds hinted at, and that other seeds alone test.

    Attributes:
        baseline: name of the contender that it differs from.
        quantity: a column of the table of runs.
        seeds: that test it. Those that the study does not have are run for it, and are in no other comparison.
    """

    baseline: str
    quantity: str
    seeds: range


@dataclass(frozen=True)
class Study:
    """Networks with different attentions, trained the same way.

    Attributes:
        title: on the page.
        config: file in ``configs/``.
        data: folder that the config reads, relative to the repository.
        metric: its name on the page.
        scale: factor from the tool's metric to points of a hundred.
        unit: what the schedule counts, ``'epochs'`` or ``'iters'``.
        length: of each contender's training.
        contenders: the first is the plain network, the baseline.
        seeds: runs of each contender.
        start: length of the plain training before attention is added; 0 trains from random weights.
        validations: number of validations in each contender's training.
        aligned: whether DMSCA's maps are compared with the annotated objects.
        hint: a difference that seeds of its own test.
        decay: index in ``param_scheduler`` of the schedule that lasts to the end.
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
    aligned: bool = False
    hint: Hint | None = None
    options: tuple[str, ...] = ()

    def schedule(self, length: int, validations: int) -> list[str]:
        """Return config entries for a training of ``length`` with this many validations and a checkpoint each quarter.

        The newest checkpoint alone is kept: a run that is killed resumes from it.
        """
        return [f'train_cfg.max_{self.unit}={length}', f'train_cfg.val_interval={length // validations}',
                f'param_scheduler.{self.decay}.end={length}',
                f'default_hooks.checkpoint.interval={max(1, length // 4)}', 'default_hooks.checkpoint.max_keep_ckpts=1']

    def seeds_of(self, contender: Contender) -> list[int]:
        """Return the seeds of a contender's runs."""
        return [*range(min(contender.seeds or self.seeds, self.seeds)),
                *(self.reserved() if self.hint and contender.name in ('dmsca', self.hint.baseline) else ())]

    def reserved(self) -> list[int]:
        """Return the seeds that only test the hint."""
        return [seed for seed in self.hint.seeds if seed >= self.seeds] if self.hint else []

    def weights(self, length: int) -> str:
        """Return the name of the last checkpoint."""
        return f'{"epoch" if self.unit == "epochs" else "iter"}_{length}.pth'


COMPARED = 'se', 'eca', 'ca', 'cbam'
"""Names of the peers that are compared."""
ATTENTIONS = (Contender(PLAIN, 'plain', PLAIN),
              *(Contender(peer.name, peer.label, peer.name) for peer in PEERS if peer.name in COMPARED),
              Contender('dmsca', 'DMSCA', 'dmsca'))
PAPER = Contender('dmsca_paper', "DMSCA, init='paper'", 'dmsca_paper')
RATE, DECAY = (f'optim_wrapper.paramwise_cfg.custom_keys.dmsca.{name}_mult' for name in ('lr', 'decay'))
PLUGIN = 'model.backbone.plugins.0'
RECIPE = 'recipe'
RECIPES = tuple(Contender(name, label, None, (option,), RECIPE, 5) for name, label, option in (
    ('rate_3', 'learning rate × 3', f'{RATE}=3'),
    ('rate_10', 'learning rate × 10', f'{RATE}=10'),
    ('no_decay', 'no weight decay', f'{DECAY}=0'),
    ('after_conv2', 'after the second convolution', f'{PLUGIN}.position=after_conv2'),
    ('late_stages', 'in the last two stages', f'{PLUGIN}.stages=(False,False,True,True)'),
    ('temperature_3', 'temperature 3', f'{PLUGIN}.cfg.temperature=3.0')))
"""DMSCA with one thing changed; their family is ``RECIPE``."""
STEEP = Contender('temperature_fifth', 'temperature 1/5', None, (f'{PLUGIN}.cfg.temperature=0.2',), RECIPE, 5)
"""The recipe for networks whose channel gates stay at 1."""

CIFAR_JPEG = {'config': 'pretrain/resnet18_dmsca_cifar10_jpeg.py', 'data': 'data/cifar10_jpeg',
              'metric': 'top-1 accuracy', 'scale': 1.0, 'unit': 'epochs'}
"""What the trainings on CIFAR-10 (JPEG) have in common."""

STUDIES = {
    'detection': Study(
        'Detection: put into a trained Faster R-CNN, BCCD', 'bccd/faster_rcnn_r50_dmsca_bccd.py', 'data/bccd',
        'box mAP', 100.0, 'epochs', 4, (*ATTENTIONS, *RECIPES), seeds=10, start=12, validations=4, aligned=True,
        hint=Hint(PLAIN, 'clean', range(10, 25))),
    'segmentation': Study(
        'Segmentation: put into a trained UPerNet, CamVid', 'camvid/upernet_r50_dmsca_camvid.py', 'data/camvid',
        'mIoU', 1.0, 'iters', 200, ATTENTIONS, seeds=10, start=800, validations=4),
    'classification': Study(
        'Classification, half resolution: trained from random weights, CIFAR-10 (JPEG)', **CIFAR_JPEG, length=6,
        contenders=(*ATTENTIONS, replace(PAPER, seeds=5), STEEP), seeds=20, hint=Hint('se', 'corrupted', range(5, 10)),
        options=('model.backbone.strides=(2,2,2,1)', 'train_dataloader.batch_size=64',
                 'optim_wrapper.optimizer.lr=0.1')),
    'full_resolution': Study(
        'Classification, full resolution: trained from random weights, CIFAR-10 (JPEG)', **CIFAR_JPEG, length=12,
        contenders=tuple(each for each in ATTENTIONS if each.name in (PLAIN, 'se', 'eca', 'dmsca')), seeds=5),
}
QUICK = {'quick': Study(
    'Built-in digits', 'pretrain/resnet50_dmsca_digits.py', 'data/digit_classes', 'top-1 accuracy', 1.0, 'epochs', 1,
    (ATTENTIONS[0], ATTENTIONS[-1]), seeds=2, start=1,
    options=tuple(f'{split}_dataloader.dataset.indices=50' for split in ('train', 'val', 'test')))}
"""A study of minutes, to check that everything runs."""
SCALED = 'auto_scale_lr.enable=True',
"""The learning rate follows the number of images that the GPUs share."""
FULL = {
    'full_detection': Study(
        'Detection: put into a trained Faster R-CNN, COCO', 'faster_rcnn_r50_dmsca.py', 'data/coco', 'box mAP', 100.0,
        'epochs', 12, (*ATTENTIONS, *RECIPES), seeds=5, start=12, validations=4, aligned=True, options=SCALED),
    'full_segmentation': Study(
        'Segmentation: put into a trained UPerNet, ADE20K', 'upernet_r50_dmsca.py', 'data/ade/ADEChallengeData2016',
        'mIoU', 1.0, 'iters', 40000, ATTENTIONS, seeds=5, start=80000, validations=4, decay=0,
        options=(*SCALED, 'auto_scale_lr.base_batch_size=16')),
    'full_classification': Study(
        'Classification: trained from random weights, CIFAR-10 (JPEG)', **CIFAR_JPEG, length=200,
        contenders=(*ATTENTIONS, PAPER), seeds=5,
        options=(*SCALED, 'model.backbone.base_channels=64', 'model.backbone.stem_channels=64',
                 'model.head.in_channels=512')),
}
"""The same studies with the published networks, for GPUs; the classifier is a ResNet-18 of full width."""
