"""Pascal VOC's XML files as a COCO file: no box moves, every mistake is named, and the file is never partial."""
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from pycocotools.coco import COCO

from dmsca_mm.datasets.voc import convert_voc
from dmsca_mm.errors import UsageError

CLASSES = ('cat', 'dog')
CAT, DOG = ('cat', (11, 21, 40, 45)), ('dog', (1, 1, 64, 48))


def objects(*boxes):
    return ''.join(f'<object><name>{name}</name><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax>'
                   f'<ymax>{ymax}</ymax></bndbox></object>' for name, (xmin, ymin, xmax, ymax) in boxes)


def annotation(name, content, size=(64, 48)):
    return (f'<annotation><filename>{name}</filename><size><width>{size[0]}</width><height>{size[1]}</height>'
            f'<depth>3</depth></size>{content}</annotation>')


@pytest.fixture
def voc(tmp_path):
    """Three images of 64x48 pixels with a cat, a dog and both."""
    root = tmp_path / 'voc'
    for folder in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    for number, boxes in enumerate([[CAT], [DOG], [CAT, DOG]]):
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(root / f'JPEGImages/{number}.jpg')
        xml(root, number).write_text(annotation(f'{number}.jpg', objects(*boxes)))
    return root


def xml(root, number):
    return root / f'Annotations/{number}.xml'


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'made/all.json'


def test_pycocotools_finds_every_box_with_both_of_its_corners(voc, out):
    done = convert_voc(voc, out, CLASSES)
    assert done == (3, dict(cat=2, dog=2), [])
    coco = COCO(str(out))
    assert [image['file_name'] for image in coco.loadImgs(coco.getImgIds())] == ['0.jpg', '1.jpg', '2.jpg']
    assert [entry['name'] for entry in coco.loadCats(coco.getCatIds())] == list(CLASSES)
    cat, dog = coco.loadAnns(coco.getAnnIds(imgIds=3))
    assert (cat['bbox'], cat['area'], cat['category_id'], cat['iscrowd']) == ([10, 20, 30, 25], 750, 1, 0)
    assert dog['bbox'] == [0, 0, 64, 48], 'from 1 to 64 is the whole width of 64 pixels'
    assert len({box['id'] for box in coco.loadAnns(coco.getAnnIds())}) == 4


def test_a_file_that_names_an_image_of_another_name_is_warned_of(voc, out):
    """As one that was copied, with the list of a part of the data, so that nothing else shows it."""
    xml(voc, 1).write_text(annotation('0.jpg', objects(DOG)))
    (voc / 'part.txt').write_text('1\n')
    warning, = convert_voc(voc, out, CLASSES, voc / 'part.txt').warnings
    assert '1.xml names image 0.jpg: its boxes go to that one' in warning


def test_mmdet_trains_on_what_was_written(voc, out):
    from mmdet.datasets import CocoDataset
    convert_voc(voc, out, CLASSES)
    dataset = CocoDataset(ann_file=str(out), data_prefix=dict(img=f'{voc}/JPEGImages/'), pipeline=[],
                          metainfo=dict(classes=('dog',)), filter_cfg=dict(filter_empty_gt=True))
    found = [(Path(info['img_path']).name, [box['bbox'] for box in info['instances']]) for info in dataset]
    assert found == [('1.jpg', [[0, 0, 64, 48]]), ('2.jpg', [[0, 0, 64, 48]])]


def test_a_list_chooses_the_files_and_their_order(voc, out):
    (voc / 'ImageSets/Main/train.txt').write_text('2\n0\n\n')
    assert convert_voc(voc, out, CLASSES, voc / 'ImageSets/Main/train.txt').images == 2
    assert [image['file_name'] for image in json.loads(out.read_text())['images']] == ['2.jpg', '0.jpg']


def test_names_of_other_tools_are_taken(voc, out):
    xml(voc, 2).rename(voc / 'Annotations/2.XML')
    assert convert_voc(voc, out, CLASSES).images == 3
    (voc / 'list.txt').write_text('1\n', encoding='utf-8-sig')
    assert convert_voc(voc, out.with_name('one.json'), CLASSES, voc / 'list.txt').images == 1


def test_a_photo_that_is_turned_has_the_boxes_of_the_turned_image(voc, out):
    """OpenCV turns an image by its EXIF orientation when it loads it."""
    path = voc / 'JPEGImages/0.jpg'
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(path, exif=exif)
    with pytest.raises(UsageError, match=r'has size 64x48, its image 0\.jpg is 48x64 as its EXIF orientation turns it'):
        convert_voc(voc, out, CLASSES)
    xml(voc, 0).write_text(annotation('0.jpg', objects(CAT), size=(48, 64)))
    assert convert_voc(voc, out, CLASSES).images == 3


def test_an_aerial_image_that_pillow_takes_for_an_attack_is_converted(voc, out, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    assert convert_voc(voc, out, CLASSES)[0] == 3


def test_an_image_without_objects_stays_and_is_named(voc, out):
    xml(voc, 1).write_text(annotation('1.jpg', ''))
    done = convert_voc(voc, out, CLASSES)
    assert done.images == 3
    assert len(done.warnings) == 1
    assert f'{xml(voc, 1)} has no objects' in done.warnings[0]


def test_a_difficult_object_is_a_crowd(voc, out):
    xml(voc, 0).write_text(annotation('0.jpg', objects(CAT).replace('<bndbox>', '<difficult>1</difficult><bndbox>')))
    convert_voc(voc, out, CLASSES)
    assert [box['iscrowd'] for box in json.loads(out.read_text())['annotations']] == [1, 0, 0, 0]


def test_a_box_counted_from_zero_begins_at_the_border(voc, out):
    xml(voc, 0).write_text(annotation('0.jpg', objects(('cat', (0, 0, 10, 10)))))
    convert_voc(voc, out, CLASSES)
    assert json.loads(out.read_text())['annotations'][0]['bbox'] == [0, 0, 10, 10]


@pytest.mark.parametrize(('box', 'words'), [
    ((10, 10, 10, 30), 'has no area'), ((0, 10, 1, 30), 'has no area'), ((30, 10, 10, 30), 'has no area'),
    ((10, 10, 65, 30), 'reaches beyond the image of 64x48'), ((-3, 10, 20, 30), 'reaches beyond the image of 64x48'),
    ((10, 10, 20, 'many'), "bndbox/ymax is 'many', it must be a number"), ((10, 'nan', 20, 30), "bndbox/ymin is 'nan'"),
    ((10, '', 20, 30), 'has no bndbox/ymin')])
def test_a_wrong_box_is_named_and_nothing_written(box, words, voc, out):
    xml(voc, 1).write_text(annotation('1.jpg', objects(DOG, ('cat', box))))
    with pytest.raises(UsageError, match=words) as error:
        convert_voc(voc, out, CLASSES)
    assert f'{xml(voc, 1)}: object 2' in str(error.value)
    assert not out.parent.exists()


@pytest.mark.parametrize(('box', 'left', 'words'), [
    ((10, 10, 10, 30), None, 'has no area: left out'), ((70, 10, 90, 30), None, 'left out'),
    ((60, 40, 70, 49), [59, 39, 5, 9], 'reaches beyond the image of 64x48 pixels: cut to the image')])
def test_boxes_are_mended_on_demand_and_each_is_named(box, left, words, voc, out):
    xml(voc, 1).write_text(annotation('1.jpg', objects(DOG, ('cat', box))))
    done = convert_voc(voc, out, CLASSES, mend_boxes=True)
    warning, = done.warnings
    assert warning.startswith(f'{xml(voc, 1)}: object 2 (cat)')
    assert warning.endswith(words)
    found = [entry['bbox'] for entry in json.loads(out.read_text())['annotations'] if entry['image_id'] == 2]
    assert found == [[0, 0, 64, 48]] + ([left] if left else [])


def break_size(root):
    xml(root, 1).write_text(annotation('1.jpg', objects(DOG), size=(48, 64)))


def break_image(root):
    (root / 'JPEGImages/1.jpg').write_bytes(b'no image')


def name_twice(root):
    xml(root, 1).write_text(annotation('0.jpg', objects(CAT)))


def empty(root):
    for number in range(3):
        xml(root, number).write_text(annotation(f'{number}.jpg', ''))


@pytest.mark.parametrize(('change', 'words'), [
    (lambda root: (root / 'JPEGImages/1.jpg').unlink(), ['1.xml names image 1.jpg, which is not in', 'JPEGImages']),
    (break_image, ['JPEGImages/1.jpg cannot be opened']),
    (break_size, ['1.xml has size 48x64, its image 1.jpg is 64x48']),
    (name_twice, ['1.xml names image 0.jpg, and so does', '0.xml']),
    (lambda root: xml(root, 1).write_text(annotation('1.jpg', objects(('cow', (1, 2, 3, 4))))),
     ["1.xml: object 1 is of class 'cow'", 'cat, dog', '--classes']),
    (lambda root: xml(root, 1).write_text('<annotation><filename>'), ['1.xml is no XML']),
    (lambda root: xml(root, 1).write_bytes(b'\xff\xfe\x00'), ['1.xml is no XML']),
    (lambda root: xml(root, 1).write_text('<svg/>'), ['1.xml has no filename']),
    (empty, ['none of the 3 XML files', 'has an object']),
    (lambda root: [path.unlink() for path in (root / 'Annotations').iterdir()], ['Annotations holds no XML files']),
    (lambda root: (root / 'JPEGImages').rename(root / 'images'), ['JPEGImages is no folder', 'Annotations/*.xml'])])
def test_bad_input_is_named_and_nothing_written(change, words, voc, out):
    change(voc)
    with pytest.raises(UsageError) as error:
        convert_voc(voc, out, CLASSES)
    assert all(word in str(error.value) for word in words), error.value
    assert not out.parent.exists()


@pytest.mark.parametrize(('content', 'words'), [
    ('0\n7\n', "names '7', and .*7.xml does not exist"), ('0\n1\n0\n', "names '0' twice"), ('\n', 'is empty'),
    (None, 'cannot be read')])
def test_a_bad_list_is_named(content, words, voc, out):
    listed = voc / 'ImageSets/Main/train.txt'
    if content is not None:
        listed.write_text(content)
    with pytest.raises(UsageError, match=f'list .*train.txt {words}'):
        convert_voc(voc, out, CLASSES, listed)


def test_the_wrong_files_are_counted(voc, out):
    for number in (0, 2):
        xml(voc, number).write_text('')
    with pytest.raises(UsageError, match=r'0.xml is no XML .* \(wrong: 2 of 3 XML files\)'):
        convert_voc(voc, out, CLASSES)


def test_a_class_named_twice_is_refused(voc, out):
    with pytest.raises(UsageError, match="class 'dog' is named twice"):
        convert_voc(voc, out, ('cat', 'dog', 'dog'))


def test_a_file_that_is_there_stays(voc, out):
    out.parent.mkdir()
    out.write_text('mine')
    with pytest.raises(UsageError, match='exists: move it away'):
        convert_voc(voc, out, CLASSES)
    assert out.read_text() == 'mine'


def test_a_disk_that_refuses_leaves_nothing(voc, out, monkeypatch):
    def full(self, content):
        self.touch()
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(Path, 'write_text', full)
    with pytest.raises(UsageError, match=r'cannot write .*all.json: No space left on device'):
        convert_voc(voc, out, CLASSES)
    assert list(out.parent.iterdir()) == []
