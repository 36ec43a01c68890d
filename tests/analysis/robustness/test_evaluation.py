"""A cell's metrics against those of an ordinary test, on the same images and on corrupted images on disk."""
import shutil

import cv2
import pytest

from dmsca_mm.analysis.robustness import corrupt
from dmsca_mm.analysis.robustness.cells import CLEAN
from dmsca_mm.analysis.robustness.evaluation import Evaluation
from dmsca_mm.errors import ImageError, UsageError
from dmsca_mm.runtime import testing


@pytest.fixture(scope='module')
def evaluation(untrained, digits, tmp_path_factory):
    scratch = str(tmp_path_factory.mktemp('scratch'))
    options = {'test_dataloader.dataset.data_root': f'{digits}/'}
    return Evaluation(*untrained('segmenter'), options, None, scratch, False, 0)


def ordinary(root, untrained, tmp_path):
    return testing.test(*untrained('segmenter'), work_dir=str(tmp_path / 'work'),
                       cfg_options={'test_dataloader.dataset.data_root': f'{root}/'})


def test_clean_figures_are_those_of_the_ordinary_test(evaluation, untrained, digits, tmp_path):
    found = evaluation(CLEAN)
    assert found == pytest.approx(ordinary(digits, untrained, tmp_path))
    assert found['mIoU'] > 0


@pytest.mark.slow
def test_corrupted_figures_are_those_of_images_stored_corrupted(evaluation, untrained, digits, tmp_path):
    shutil.copytree(digits, tmp_path / 'digits')
    for path in (tmp_path / 'digits/images/validation').iterdir():
        # The step derives its seed from the image, but contrast is not random: any seed works here.
        image = corrupt(cv2.imread(str(path)), 'contrast', 5, seed=0)
        path.write_bytes(cv2.imencode('.png', image)[1])
    found = evaluation(('contrast', 5))
    assert found == pytest.approx(ordinary(tmp_path / 'digits', untrained, tmp_path))
    assert found != pytest.approx(evaluation(CLEAN))
    noisy = evaluation(('shot_noise', 3))
    assert noisy not in (found, evaluation(CLEAN))
    assert noisy == evaluation(('shot_noise', 3)), 'what came between does not matter'


@pytest.mark.slow
def test_size_without_an_object_has_no_value_and_a_broken_image_is_named(untrained, digits, tmp_path):
    root = shutil.copytree(digits, tmp_path / 'digits')
    options = {'test_dataloader.dataset.data_root': f'{root}/',
               'test_evaluator.outfile_prefix': str(tmp_path / 'found'),
               'test_evaluator.ann_file': f'{root}/annotations/instances_validation.json'}
    evaluation = Evaluation(*untrained('detector'), options, None, str(tmp_path / 'scratch'), True, 0)
    found = evaluation(('fog', 1))
    assert 0 <= found['coco/bbox_mAP'] <= 1
    assert found['coco/bbox_mAP_l'] is None, 'no digit is larger than 96 pixels a side'
    assert {path.name for path in tmp_path.iterdir()} == {'digits', 'scratch'}, 'predictions go to the scratch folder'
    assert list((tmp_path / 'scratch/0').iterdir())
    first = next((root / 'images/validation').iterdir())
    first.write_bytes(first.read_bytes()[:1000])
    with pytest.raises(ImageError, match=f'{first.name} .* is cut short'):
        evaluation(CLEAN)


def test_predictions_of_corrupted_images_do_not_replace_the_users(untrained, digits, tmp_path):
    options = {'test_dataloader.dataset.data_root': f'{digits}/', 'test_evaluator.output_dir': str(tmp_path / 'kept')}
    evaluation = Evaluation(*untrained('segmenter'), options, None, str(tmp_path / 'scratch'), True, 0)
    assert evaluation(('contrast', 5))['mIoU'] >= 0
    assert not (tmp_path / 'kept').exists()


def test_an_evaluator_with_a_list_of_metrics_is_that_of_the_ordinary_test(untrained, digits, tmp_path):
    def options():
        return {'test_dataloader.dataset.data_root': f'{digits}/',
                'test_evaluator': dict(_delete_=True, metrics=[dict(type='IoUMetric', iou_metrics=['mDice'])])}
    found = Evaluation(*untrained('segmenter'), options(), None, str(tmp_path / 'scratch'), True, 0)(CLEAN)
    assert found == pytest.approx(testing.test(*untrained('segmenter'), work_dir=str(tmp_path), cfg_options=options()))


def test_metrics_that_are_lists_or_matrices_are_left_out(untrained, digit_classes, tmp_path):
    metrics = [dict(type='Accuracy'), dict(type='SingleLabelMetric', average=None), dict(type='ConfusionMatrix')]
    options = {'test_dataloader.dataset.data_root': f'{digit_classes}/', 'test_evaluator': metrics}
    found = Evaluation(*untrained('classifier'), options, None, str(tmp_path / 'scratch'), True, 0)(CLEAN)
    assert list(found) == ['accuracy/top1']
    assert 0 <= found['accuracy/top1'] <= 100


def test_checkpoint_of_another_config_is_refused(untrained, tmp_path):
    with pytest.raises(UsageError, match=r'is not of .*upernet'):
        Evaluation(untrained('segmenter')[0], untrained('detector')[1], None, None, str(tmp_path), True, 0)
