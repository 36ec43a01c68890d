"""One image is validated before the training: its errors show at once, and nothing else changes."""
from types import SimpleNamespace

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset, IterableDataset

from dmsca_mm.runtime.hooks import trial
from dmsca_mm.runtime.hooks.trial import TrialValidation

TRAINING, VALIDATION = [1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0]
TRIED = ('predict', False, [5.0])


class Model(BaseModel):
    """A normalization whose loss draws a random number; ``calls`` lists mode, training mode and inputs."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(1)
        self.calls = []

    def forward(self, inputs, mode='loss'):
        inputs = torch.stack(list(inputs))
        self.calls.append((mode, self.training, inputs.tolist()))
        out = self.norm(inputs[:, None])
        return list(out) if mode == 'predict' else dict(loss=(out * torch.rand(())).square().mean())


class BaseClassifier(Model):
    """By its name a model that predicts for an image without knowing others."""


class BaseTracker(Model):
    """By its name one that needs others."""


class Numbers(Dataset):
    def __init__(self, numbers):
        self.numbers = numbers

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, index):
        return dict(inputs=torch.tensor(self.numbers[index]))


class Counted(BaseMetric):
    """The images, one figure for each, and their number; mmengine drops those beyond the length of the data set."""

    def process(self, data_batch, data_samples):
        self.results += torch.stack(list(data_batch['inputs'])).tolist()

    def compute_metrics(self, results):
        return dict(images=len(results), **{f'image_{place}': value for place, value in enumerate(results)})


def trained(work_dir, model, hooks=(TrialValidation.__name__,), metric=Counted, validation=VALIDATION,
            log_level='ERROR', workers=0):
    """Train for an epoch of two steps with mmengine's own loop, then validate; return the runner."""
    torch.manual_seed(0)
    torch.nn.init.normal_(model.norm.weight)
    loader = dict(num_workers=0, batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False))
    run = Runner(
        model, str(work_dir), train_cfg=dict(by_epoch=True, max_epochs=1),
        val_cfg=dict(), val_evaluator=dict(type=metric),
        train_dataloader=dict(dataset=Numbers(TRAINING), **loader),
        val_dataloader=dict(dataset=validation if isinstance(validation, Dataset) else Numbers(validation),
                            **{**loader, 'num_workers': workers}), randomness=dict(seed=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), log_level=log_level, experiment_name=str(work_dir),
        custom_hooks=[dict(type=hook) for hook in hooks])
    run.train()
    return run


def test_the_first_image_is_validated_before_the_first_step(tmp_path):
    model = BaseClassifier()
    trained(tmp_path, model)
    assert model.calls == [TRIED, ('loss', True, [1.0, 2.0]), ('loss', True, [3.0, 4.0]),
                           ('predict', False, [5.0, 6.0]), ('predict', False, [7.0])]


def test_the_metrics_of_the_run_do_not_count_it(tmp_path):
    run = trained(tmp_path, BaseClassifier())
    assert [run.message_hub.get_scalar(f'val/image_{place}').current() for place in range(3)] == VALIDATION


def test_a_model_in_a_wrapper_is_tried(tmp_path):
    @MODEL_WRAPPERS.register_module(force=True)
    class Wrapper(BaseModel):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self, *inputs, **options):
            return self.module(*inputs, **options)

    wrapped = Wrapper(model := BaseClassifier())
    trial.TrialValidation().before_train(SimpleNamespace(
        model=wrapped, logger=MMLogger.get_instance('trial'), val_loop=trained(tmp_path, BaseTracker()).val_loop))
    assert model.calls == [TRIED]


def test_data_without_a_first_image_are_not_tried(tmp_path):
    run = trained(tmp_path, BaseTracker())
    for data in ([], Endless()):
        run.val_loop.dataloader = SimpleNamespace(dataset=data)
        trial.TrialValidation().before_train(SimpleNamespace(model=BaseClassifier(), val_loop=run.val_loop))


class Endless(IterableDataset):
    def __iter__(self):
        raise AssertionError('it is not read')


def test_a_training_is_the_same_with_it_and_without(tmp_path):
    plain, tried = BaseClassifier(), BaseClassifier()
    trained(tmp_path / 'plain', plain, hooks=())
    trained(tmp_path / 'tried', tried)
    assert tried.calls[1:] == plain.calls
    assert all(torch.equal(value, tried.state_dict()[name]) for name, value in plain.state_dict().items())


class Nested(BaseMetric):
    """A metric of a metric, like mmpretrain's for several tasks."""

    def __init__(self):
        super().__init__()
        self.of_tasks = dict(one=[Counted()])

    def process(self, data_batch, data_samples):
        self.of_tasks['one'][0].process(data_batch, data_samples)

    def compute_metrics(self, results):
        raise AssertionError('evaluate does not call it')

    def evaluate(self, size):
        return dict(images=len(self.of_tasks['one'][0].results))


def test_a_metric_within_a_metric_does_not_count_it(tmp_path):
    run = trained(tmp_path, BaseClassifier(), metric=Nested)
    assert run.message_hub.get_scalar('val/images').current() == 3


class Lossy(BaseClassifier):
    """Its validation ends with a loss, which mmengine's loop keeps from the metrics."""

    def forward(self, inputs, mode='loss'):
        result = super().forward(inputs, mode)
        return result if mode == 'loss' else [*result, BaseDataElement(loss=dict(one=torch.ones(())))]


def test_the_loss_of_a_validation_is_no_prediction(tmp_path):
    run = trained(tmp_path, Lossy(), metric=Numbered)
    assert run.message_hub.get_scalar('val/images').current() == 3


class Numbered(Counted):
    def process(self, data_batch, data_samples):
        assert all(isinstance(sample, torch.Tensor) for sample in data_samples)
        super().process(data_batch, data_samples)


class Opened(Numbers):
    """Notes that a file was opened, in the process that opens it."""

    opened = False

    def __getitem__(self, index):
        self.opened = True
        return super().__getitem__(index)


@pytest.mark.parametrize('workers', [0, 1])
def test_the_main_process_opens_no_file_if_there_are_data_workers(workers, tmp_path):
    run = trained(tmp_path, BaseClassifier(), validation=Opened(VALIDATION), workers=workers)
    assert run.val_dataloader.dataset.opened == (workers == 0)


def test_full_memory_ends_the_run(tmp_path):
    class Large(BaseClassifier):
        def forward(self, inputs, mode='loss'):
            raise torch.OutOfMemoryError('CUDA out of memory')

    with pytest.raises(torch.OutOfMemoryError):
        trained(tmp_path, Large())


class Unpredicting(BaseClassifier):
    def forward(self, inputs, mode='loss'):
        return super().forward(inputs, mode) if mode == 'loss' else inputs['scale_factor']


class Diverging(BaseClassifier):
    """It can predict once a step has been made."""

    def forward(self, inputs, mode='loss'):
        result = super().forward(inputs, mode)
        if len(self.calls) == 1:
            raise RuntimeError('boxes outside the image. In all of them')
        return result


def test_a_prediction_that_fails_on_the_values_of_untrained_weights_is_logged(tmp_path):
    run = trained(tmp_path, model := Diverging(), log_level='WARNING')
    assert [call for call in model.calls if call[0] == 'loss']
    assert all(training for mode, training, _ in model.calls if mode == 'loss')
    assert run.message_hub.get_scalar('val/images').current() == 3
    log, = tmp_path.glob('*/*.log')
    assert 'it failed (RuntimeError: boxes outside the image), perhaps as the weights are not' in log.read_text()


class Unmeasurable(Counted):
    def process(self, data_batch, data_samples):
        raise KeyError('img_id')


@pytest.mark.parametrize(('model', 'options', 'error'), [
    (BaseClassifier, dict(validation=['a word']), 'invalid data type'),
    (Unpredicting, {}, 'indices'),
    (BaseClassifier, dict(metric=Unmeasurable), 'img_id')], ids=['pipeline', 'model', 'metric'])
def test_an_error_of_the_validation_shows_before_the_first_step(model, options, error, tmp_path):
    model = model()
    with pytest.raises((TypeError, KeyError), match=error):
        trained(tmp_path, model, **options)
    assert not [call for call in model.calls if call[0] == 'loss']
    assert not list(tmp_path.glob('*.pth'))


def test_a_model_that_needs_other_images_is_not_tried(tmp_path):
    model = BaseTracker()
    trained(tmp_path, model)
    assert TRIED not in model.calls
    assert model.calls[0][0] == 'loss'
