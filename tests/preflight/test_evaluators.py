"""CocoMetric's annotation file belongs to the data."""
import own_data
import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.evaluators import check_evaluators


@pytest.fixture
def files(tmp_path, repository):
    own_data.detector(tmp_path, repository)
    return tmp_path


def check(folder, name, **options):
    evaluator = dict(type='CocoMetric', ann_file=str(folder / name), **options)
    return check_evaluators([dict(type='DumpResults'), evaluator], 'val_evaluator', [folder / 'val.json'],
                            own_data.CLASSES)


def test_the_files_of_the_data_pass_by_any_name(files):
    assert check(files, 'val.json') == []
    assert check(files, 'images/../val.json') == []
    assert check(files, 'train.json') == [], 'it lists the same images'


def test_more_images_pass_and_fewer_end_it(files):
    own_data.change(files / 'val.json', images=lambda images: images[:2])
    assert check(files, 'train.json') == []
    own_data.change(files / 'train.json', images=lambda images: images[1:])
    with pytest.raises(UsageError, match=r'train.json lacks 1 of 2 images of .*val.json, the first of id 0'):
        check(files, 'train.json')


def test_a_missing_file_is_named_unless_it_is_elsewhere(files):
    with pytest.raises(UsageError, match=r'val_evaluator: annotation file .*none.json does not exist'):
        check(files, 'none.json')
    assert check(files, 'none.json', backend_args=dict(backend='petrel')) == []
    assert check_evaluators([], 'val_evaluator', [], None) == []


def test_a_file_that_is_no_text_is_named(files):
    with pytest.raises(UsageError, match=r"val_evaluator\.ann_file is \('x',\), must be a string"):
        check_evaluators([dict(type='CocoMetric', ann_file=('x',))], 'val_evaluator', [files / 'val.json'], None)


def test_another_file_is_checked_as_pycocotools_reads_it(files):
    own_data.change(files / 'train.json', annotations=lambda entries: [
        {key: value for key, value in entry.items() if key != 'iscrowd'} for entry in entries])
    with pytest.raises(UsageError, match=r'val_evaluator: .*train.json: annotations\[0\].iscrowd is missing'):
        check(files, 'train.json')


def test_ids_that_are_text_are_refused_for_a_metric(files):
    own_data.change(files / 'train.json', annotations=lambda entries: [
        dict(entry, id=f'a{entry["id"]}') for entry in entries])
    with pytest.raises(UsageError, match=r"annotations\[0\].id is 'a1'; must be a number"):
        check(files, 'train.json')
