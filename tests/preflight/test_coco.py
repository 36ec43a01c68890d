"""Files in COCO's format are read entry by entry, with the same result as json."""
import json
import tracemalloc
from array import array

import pytest

from dmsca_mm.errors import UsageError
from dmsca_mm.preflight.coco import Annotation, Category, Coco, Image, read_coco

GOOD = dict(
    info=dict(images=[1], description='Bäume'),
    annotations=[dict(id=1, image_id=1, category_id=7, bbox=[1, 2, 3.5, 4], area=14, segmentation=[[1, 2, 3, 4, 5, 6]]),
                 dict(id='b', image_id=2, iscrowd=1, segmentation=dict(size=[20, 10], counts=[1, 199]), more=[{}]), 5],
    images=[dict(id=1, file_name='a.jpg', width=10, height=20), dict(id=2, license=3)],
    categories=[dict(id=7, name='cat')])
READ = Coco([Image(1, 'a.jpg', 10, 20), Image(2, None, None, None)], [Category(7, 'cat')],
            [Annotation(1, 1, 7, array('d', [1, 2, 3.5, 4]), 14, None, None, [[0] * 6]),
             Annotation('b', 2, None, None, None, 1, None, dict(counts='', size=[20, 10])), 5])


@pytest.mark.parametrize('more', [{}, dict(score=float('nan')), dict(huge=2 ** 70)])
def test_file_is_read_whatever_json_takes(more, tmp_path):
    (tmp_path / 'good.json').write_text(json.dumps({**GOOD, **more}))
    assert read_coco(tmp_path / 'good.json', 'x') == READ
    assert read_coco(tmp_path / 'good.json', 'x', annotations=False) == READ._replace(annotations=[])


@pytest.mark.parametrize(('left_out', 'found'), [('annotations', []), ('categories', None)])
def test_list_that_is_missing(left_out, found, tmp_path):
    content = {key: value for key, value in GOOD.items() if key != left_out}
    (tmp_path / 'some.json').write_text(json.dumps(content))
    assert getattr(read_coco(tmp_path / 'some.json', 'x'), left_out) == found


@pytest.mark.parametrize('content', ['{"images": [', '[' * 100_000, '', 'NaN', '{"images": 3}', '{"images": []}',
                                     '{"images": [{}]} {}'])
def test_what_is_no_list_of_images_is_an_error(content, tmp_path):
    path = tmp_path / 'any.json'
    path.write_text(content)
    with pytest.raises(UsageError, match=r'named (is no JSON object|lists no images)'):
        read_coco(path, 'named')


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-8-sig', 'latin-1'])
def test_encoding_that_pycocotools_cannot_read_is_named(encoding, tmp_path):
    path = tmp_path / 'encoded.json'
    path.write_bytes(json.dumps(GOOD, ensure_ascii=False).encode(encoding))
    with pytest.raises(UsageError, match=r'named is (not JSON in|no JSON object)'):
        read_coco(path, 'named')
    path.write_text(json.dumps(GOOD, ensure_ascii=False))
    assert read_coco(path, 'named') == READ


def test_reading_takes_a_fourth_of_the_memory_of_parsing_at_once(tmp_path):
    """Mask points, the largest part of such a file, are dropped while reading."""
    path, polygon = tmp_path / 'large.json', [[float(number) for number in range(200)]]
    path.write_text(json.dumps(dict(GOOD, annotations=[
        dict(id=number, image_id=1, category_id=7, bbox=[1, 2, 3.5, 4], area=14, segmentation=polygon)
        for number in range(5_000)])))

    def most_memory(read):
        tracemalloc.start()
        try:
            read()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most_memory(lambda: read_coco(path, 'x')) < most_memory(lambda: json.loads(path.read_text())) / 4
