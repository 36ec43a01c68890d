"""The parts of a config are found wherever it has them."""
from mmengine.config import Config

from dmsca_mm.preflight.config_parts import datasets, heads, is_remote, metrics, name_of, stands_for


def test_heads_are_found_alone_in_lists_and_inside_others():
    model = dict(decode_head=[dict(num_classes=3), dict(num_classes=4)], neck=dict(), rpn_head=dict(num_classes=1),
                 segmenter=dict(decode_head=dict(num_classes=5)))
    config = Config(dict(model=model))
    assert [(where, head['num_classes']) for where, head in heads(config, ('decode_head',))] == [
        ('model.decode_head.0', 3), ('model.decode_head.1', 4), ('model.segmenter.decode_head', 5)]


def test_data_sets_are_found_inside_their_wrappers():
    inner = [dict(data_root='a'), dict(ann_file='b')]
    loader = dict(batch_size=2, dataset=dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=inner)))
    assert list(datasets(loader)) == inner
    assert list(datasets(None)) == []


def test_a_data_set_is_remote_if_a_part_of_it_is():
    for dataset in (dict(data_root='s3://bucket/'), dict(data_prefix=dict(img='s3://bucket/train/')),
                    dict(data_prefix='s3://bucket'), dict(ann_file='https://host/a.json'),
                    dict(backend_args=dict(backend='petrel'))):
        assert is_remote(dataset)
    assert not is_remote(dict(data_root='data/', ann_file='a.json', data_prefix=dict(img='images', seg=None)))


def test_metrics_are_found_alone_in_lists_and_in_an_evaluator():
    one, other = dict(type='IoUMetric'), dict(type='CocoMetric')
    for evaluator, expected in ((one, [one]), ([one, other], [one, other]), (dict(metrics=[one]), [one]),
                                (dict(type='Evaluator', metrics=one), [one]), (None, [])):
        assert metrics(Config(dict(val_evaluator=evaluator)), 'val_dataloader') == expected


def test_a_class_is_known_by_its_names_and_as_itself():
    class Own(Config):
        pass
    assert all(stands_for(kind, Config) for kind in (Config, 'Config', 'mmengine.Config', 'mmengine.config.Config'))
    assert not any(stands_for(kind, Config) for kind in (Own, 'Own', 'other.Config', 'mmengine.ConfigDict', None))


def test_a_type_has_its_name_with_a_library_and_as_a_class():
    assert name_of(dict(type='mmseg.IoUMetric')) == name_of(dict(type='IoUMetric')) == 'IoUMetric'
    assert name_of(dict(type=Config)) == 'Config'
