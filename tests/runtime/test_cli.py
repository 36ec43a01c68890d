"""The command line of the tools matches that of mmdet and mmseg."""
import pytest

from dmsca_mm.errors import is_first_of_machine, is_first_process
from dmsca_mm.plugins import PLUGINS
from dmsca_mm.runtime import cli


def parse(monkeypatch, *words):
    monkeypatch.setattr('sys.argv', ['tool', *words])
    monkeypatch.setenv('LOCAL_RANK', '0')
    return cli.parse(cli.parser('A tool'))


def test_defaults(monkeypatch):
    expected = dict(config='x.py', work_dir=None, plugin=None, cfg_options=None, launcher='none')
    assert parse(monkeypatch, 'x.py') == expected


def test_options_become_typed_values(monkeypatch):
    values = parse(monkeypatch, 'x.py', '--cfg-options', 'a.b=1', 'c=[1,2]', 'd=None')
    assert values['cfg_options'] == {'a.b': 1, 'c': [1, 2], 'd': None}


@pytest.mark.parametrize('spelling', ['--local-rank', '--local_rank'])
def test_local_rank_of_old_launchers_is_taken(monkeypatch, spelling):
    assert 'local_rank' not in parse(monkeypatch, 'x.py', spelling, '1')


@pytest.mark.parametrize(('launcher', 'speaks'), [('slurm', False), ('none', True)])
def test_only_the_first_process_of_a_slurm_job_speaks(launcher, speaks, monkeypatch):
    """A tool without a launcher is alone, even on a node of a Slurm job."""
    for name in ('RANK', 'LOCAL_RANK'):
        monkeypatch.setenv(name, '0')  # so that it is restored
        monkeypatch.delenv(name)
    monkeypatch.setenv('SLURM_PROCID', '3')
    monkeypatch.setenv('SLURM_LOCALID', '1')
    monkeypatch.setattr('sys.argv', ['tool', 'x.py', '--launcher', launcher])
    cli.parse(cli.parser('A tool'))
    assert is_first_process() == is_first_of_machine() == speaks


@pytest.mark.parametrize('words', [['x.py', '--cfg-options', 'a'], ['x.py', '--cfg-options', '=3'],
                                   ['x.py', '--cfg-options', 'a..b=3'],
                                   ['x.py', '--plugin', 'none-such'], ['x.py', '--launcher', 'ssh'], []])
def test_wrong_words_end_with_exit_code_2(monkeypatch, capsys, words):
    with pytest.raises(SystemExit) as ended:
        parse(monkeypatch, *words)
    assert ended.value.code == 2
    assert words == [] or words[-1] in capsys.readouterr().err


@pytest.mark.parametrize('name', PLUGINS)
def test_every_plugin_is_a_choice(monkeypatch, name):
    assert parse(monkeypatch, 'x.py', '--plugin', name)['plugin'] == name


def test_inspection_takes_a_config_and_a_checkpoint():
    parser = cli.inspection_parser('Look')
    values = vars(parser.parse_args(['a.py', 'b.pth', '--plugin', 'se', '--cfg-options', 'x=1']))
    assert values == dict(config='a.py', weights='b.pth', plugin='se', cfg_options=dict(x=1))
