"""A walk over a config yields every dict with its path; a plugin is added to every backbone."""
import pytest
from mmengine.config import Config

from dmsca_mm.config_tree import add_import, put_plugin, walk
from dmsca_mm.errors import UsageError


def test_a_walk_gives_every_dict_with_its_path_outer_ones_first():
    inner = dict(type='B')
    tree = Config(dict(model=dict(type='A', heads=[inner, dict(x=(dict(),))]), rate=1))
    assert [path for path, _ in walk(tree)] == ['', 'model', 'model.heads.0', 'model.heads.1', 'model.heads.1.x.0']
    assert next(walk(tree.model, 'a.b')) == ('a.b', tree.model)
    assert [*walk('text')] == [*walk(None)] == []


def test_what_is_put_into_a_dict_during_the_walk_is_walked_over():
    tree = dict(type='A')
    for _, part in walk(tree):
        if part['type'] == 'A':
            part['inner'] = dict(type='B')
    assert [path for path, _ in walk(tree)] == ['', 'inner']


def test_put_plugin_replaces_and_none_removes():
    backbone = dict(type='mmdet.ResNet', depth=50, plugins=[dict(cfg=dict(type='Other'))])
    config = Config(dict(model=dict(backbone=backbone)))
    put_plugin(config, 'dmsca')
    assert [entry.cfg.type for entry in config.model.backbone.plugins] == ['DMSCA']
    put_plugin(config, 'none')
    assert 'plugins' not in config.model.backbone


def test_put_plugin_reaches_nested_backbones():
    backbone = dict(type='mmdet.ResNet', depth=50, num_stages=3, frozen_stages=1)
    config = Config(dict(model=dict(type='SoftTeacher', detector=dict(backbone=backbone))))
    put_plugin(config, 'dmsca')
    assert config.model.detector.backbone.plugins[0].stages == (False, True, True)


def test_plugins_of_a_frozen_backbone_are_refused():
    config = Config(dict(model=dict(backbone=dict(type='mmdet.ResNet', depth=50, frozen_stages=4))))
    with pytest.raises(UsageError, match='--plugin dmsca: frozen_stages=4 freezes every stage'):
        put_plugin(config, 'dmsca')
    put_plugin(config, 'dmsca:stages=(True,True,True,True)')


@pytest.mark.parametrize(('entry', 'expected'), [
    ({}, ['own']), (dict(custom_imports=None), ['own']), (dict(custom_imports=dict(imports='other')), ['other', 'own']),
    (dict(custom_imports=dict(imports=['other', 'own'])), ['other', 'own'])])
def test_an_import_is_added_to_what_mmengine_takes_as_imports(entry, expected):
    config = Config(entry)
    add_import(config, 'own')
    assert config.custom_imports['imports'] == expected


@pytest.mark.parametrize('config', [dict(), dict(model=dict(type='X')), dict(model=None)])
def test_config_without_backbone_is_refused(config):
    with pytest.raises(UsageError, match=r'no model\.backbone'):
        put_plugin(Config(config), 'dmsca')
