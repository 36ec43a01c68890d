"""Boxes and classes are drawn where they are."""
import numpy as np
from PIL import Image

from dmsca_mm.analysis.predictions import SIDE, colour, draw_boxes, draw_classes


def test_box_is_drawn_at_its_place_on_the_enlarged_image():
    image = Image.new('RGB', (160, 80), (10, 20, 30))
    picture = np.asarray(draw_boxes(image, np.array([[40.0, 30, 120, 60]]), [3], ['three']))
    assert picture.shape == (240, SIDE, 3)
    painted = (picture == colour(3)).all(-1)
    assert painted[90:181, 120].all(), 'the left edge'
    assert painted[180, 120:361].all(), 'the lower edge'
    assert tuple(picture[135, 240]) == (10, 20, 30), 'nothing inside'
    assert not painted[182:].any()


def test_texts_of_boxes_on_top_of_each_other_are_all_there():
    image, box = Image.new('RGB', (160, 160)), [40.0, 60, 120, 140]
    lone = [(np.asarray(draw_boxes(image, np.array([box]), [label], ['word'])) == colour(label)).all(-1)[:176].sum()
            for label in range(3)]
    picture = np.asarray(draw_boxes(image, np.array([box] * 3), range(3), ['word'] * 3))
    found = [(picture == colour(label)).all(-1) for label in range(3)]
    assert found[0][:176].sum() == lone[0], 'the first stands above the box'
    assert all(one.sum() > 300 for one in found[1:]), 'the others below it'
    rows = [np.flatnonzero(one[:400, 125:150].sum(1) > 15) for one in found]
    assert rows[0].max() < rows[1].min() <= rows[1].max() < rows[2].min()


def test_no_boxes_leave_the_image():
    picture = draw_boxes(Image.new('RGB', (1000, 500), (1, 2, 3)), np.zeros((0, 4)), [], [])
    assert picture.size == (SIDE, SIDE // 2)
    assert picture.getcolors() == [(SIDE * SIDE // 2, (1, 2, 3))]


def test_classes_are_mixed_over_the_image_and_ignored_pixels_stay():
    image, palette = Image.new('RGB', (SIDE, SIDE), (100, 100, 100)), [(0, 0, 0), (200, 100, 50)]
    classes = np.full((SIDE, SIDE), 11)
    classes[:100], classes[100:200] = 1, 0
    picture = np.asarray(draw_classes(image, classes, palette, [255, 11]))
    assert [tuple(picture[row, 9]) for row in (50, 150, 300)] == [(170, 100, 65), (30, 30, 30), (100, 100, 100)]


def test_colours_are_the_palette_s_and_differ_where_it_ends():
    assert colour(1, [(1, 2, 3), (4, 5, 6)]) == (4, 5, 6)
    assert len({colour(label) for label in range(20)}) == 20
