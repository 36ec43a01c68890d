"""The study's page: verdict, tables of differences and recipes, and what the maps show."""
import sys
from dataclasses import replace

import pandas as pd
import pytest
import studies
import study
import study_alignment
import study_answer
import study_page
import study_results
import study_statistics
from scipy.stats import t as student
from study_examples import finish, table_of, write_alignment

from dmsca_mm.errors import UsageError


def write_page(folder, monkeypatch, rows, *options):
    rows.to_csv(folder / 'study.csv', index=False)
    monkeypatch.setattr('sys.argv', ['study_page', '--results', str(folder / 'study.csv'), *options])
    study_page.main()
    return (folder / 'study.md').read_text()


def page_in_docs(rows, **changed):
    """Return the page that docs would have of a table of studies, with changes of their plans."""
    plans = {name: replace(studies.STUDIES[name], **changed) for name in rows.study.unique()}
    maps = pd.DataFrame(columns=study_alignment.COLUMNS)
    return study_page.page(study_page.TEMPLATE, plans, rows, study_statistics.compare(rows, plans), maps)


def test_the_page_begins_with_dmsca_and_names_whom_a_difference_was_found_for(tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, table_of(none=[40, 50, 30], dmsca=[44, 50, 27], se=[41, 51.1, 31.1]))
    answer = text[:text.index('![')]
    assert 'DMSCA +0.33 ±' in answer
    assert 'no difference found' in answer
    assert 'Under corruption +0.17 ±' in answer
    assert 'Against SE -0.73 ±' in answer
    assert 'under corruption -0.37 ±' in answer
    assert 'Differences found for the others: SE +1.07 ± 0.14; under corruption SE +0.53 ± 0.07.' in answer
    assert text.splitlines()[2].startswith('These runs found no difference between DMSCA and')
    assert (tmp_path / 'study.png').stat().st_size > 5000


@pytest.mark.parametrize(('dmsca', 'verdict'), [([41.0, 51.1, 31.1], 'better'), ([39.0, 48.9, 28.9], 'worse')])
def test_the_page_begins_with_the_verdict(dmsca, verdict, tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, table_of(none=[40, 50, 30], dmsca=dmsca))
    assert text.splitlines()[2] == f'Against the plain network DMSCA was {verdict} in detection:'


def test_the_verdict_names_a_study_by_its_title():
    text = page_in_docs(table_of(none=[40, 50, 30], dmsca=[41.0, 51.1, 31.1]).assign(study='full_resolution'))
    assert text.splitlines()[2] == 'Against the plain network DMSCA was better in classification, full resolution:'


def test_the_page_states_how_far_the_plain_networks_seeds_are_apart():
    text = page_in_docs(table_of(none=[40, 50, 30], dmsca=[44, 99, 27]))
    assert "the plain network's seeds alone differ by up to 20.0 points of box mAP." in text


def test_of_two_studies_with_one_metric_the_page_states_whose_seeds_are_further_apart():
    rows = table_of(none=[40, 50], dmsca=[44, 51])
    wider = rows.assign(study='full_resolution', clean=2 * rows.clean)
    text = page_in_docs(pd.concat([rows.assign(study='classification'), wider]))
    assert "the plain network's seeds alone differ by up to 20.0 points of top-1 accuracy." in text


def test_the_page_states_how_low_the_validations_of_a_training_were(tmp_path, monkeypatch):
    rows = table_of(none=[40, 50, 30], dmsca=[44, 50, 27])
    rows['worst'] = [30, 40, 20, 33, 38, 20]
    text = write_page(tmp_path, monkeypatch, rows)
    assert 'lay between 20.0 and 38.0, ' in text
    assert 'between 20.0 and 40.0.' in text


def test_the_table_on_the_page_has_means_differences_and_the_price(tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, table_of(none=[40, 50], se=[41, 51.5]))
    train, inference = study_results.costs()['se']
    line = next(line for line in text.splitlines() if line.startswith('| SE | 2 |'))
    assert line.startswith('| SE | 2 | 46.25 | +1.25 ± 3.18 |')
    assert line.endswith(f'| 1.000 | {train:.2f}; {inference:.2f} |')


@pytest.mark.parametrize(('name', 'low', 'end'), [
    ('detection', '| lowest validation, against plain ', '| -2.00 to +1.00 '), ('classification', '', '')])
def test_only_a_transfer_has_lowest_validations_in_its_table(name, low, end):
    rows = table_of(none=[40, 50], se=[41, 51.5]).assign(study=name, worst=[30, 40, 28, 41])
    text = page_in_docs(rows, seeds=2)
    header, _, _, se = text[text.index('| | seeds |'):].splitlines()[:4]
    assert f'| p, corrected {low}| spread of A_c; A_s; α | parameters |' in header
    assert f'{end}| 0.10; 0.10; 0.10 | 1.000 |' in se


def test_a_page_without_runs_shows_the_plan(tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, pd.DataFrame(columns=study_results.ORDER))
    assert text.splitlines()[2] == study_answer.NONE, 'no verdict without runs'
    assert '12 epochs plain, then 4 epochs' in text


@pytest.mark.parametrize('options', [[], ['--full']])
def test_a_page_of_no_table_is_refused(options, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['study_page', '--results', str(tmp_path / 'study.csv'), *options])
    command = ' '.join(['python benchmarks/study.py', *options])
    with pytest.raises(UsageError, match=f'study.csv does not exist: {command} makes it'):
        study_page.main()


@pytest.mark.parametrize(('name', 'title'), [
    ('detection', 'Detection: put into a trained Faster R-CNN, BCCD'), ('quick', 'Built-in digits'),
    ('full_detection', 'Detection: put into a trained Faster R-CNN, COCO')])
def test_the_page_of_ones_own_table_lies_beside_it_and_docs_stay(name, title, tmp_path, monkeypatch, repository):
    docs = (repository / 'docs/study.md').read_text()
    rows = table_of(none=[40, 50, 30], dmsca=[44, 50, 27]).assign(study=name)
    text = write_page(tmp_path, monkeypatch, rows)
    assert f'- **{title}.**\n  DMSCA +0.33 ±' in text
    assert ('BCCD' in text) == (name == 'detection')
    assert '](study.png)' in text
    assert 'What to do' not in text, 'the advice follows from the runs in this repository'
    assert (tmp_path / 'study.png').stat().st_size > 5000
    assert (repository / 'docs/study.md').read_text() == docs


def test_a_table_of_no_study_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r'study\.csv has runs of classified: give a table that'):
        write_page(tmp_path, monkeypatch, table_of(none=[40, 50]).assign(study='classified'))


def test_a_table_of_the_thin_networks_is_none_of_the_published_ones(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r'has runs of detection: give a table that benchmarks/study\.py --full has'):
        write_page(tmp_path, monkeypatch, table_of(none=[40, 50]), '--full')
    text = write_page(tmp_path, monkeypatch, pd.DataFrame(columns=study_results.ORDER), '--full')
    assert '`configs/faster_rcnn_r50_dmsca.py`' in text, 'without runs, the plan of the published networks'


def test_all_seeds_of_ones_own_table_are_compared(tmp_path, monkeypatch):
    seeds = [40 + seed for seed in range(15)]
    text = write_page(tmp_path, monkeypatch, table_of(none=seeds, se=seeds, dmsca=[1 + seed for seed in seeds]))
    assert '| SE | 15 |' in text
    assert '| DMSCA | 15 |' in text
    assert 'A hint' not in text


def test_the_page_in_docs_is_that_of_the_table_of_runs(repository):
    rows = pd.read_csv(repository / 'benchmarks/results/study.csv')
    maps = study_alignment.read_maps(repository / 'benchmarks/results/study.csv')
    differences = study_statistics.compare(rows, studies.STUDIES, study_statistics.FEWEST)
    page = study_page.page(study_page.TEMPLATE, studies.STUDIES, rows, differences, maps)
    assert page == (repository / 'docs/study.md').read_text()


def test_the_page_compares_the_maps_over_all_objects_with_a_random_map(tmp_path, monkeypatch):
    runs_ = [finish(tmp_path, 'dmsca', seed) for seed in (0, 1)]
    for run, precision in zip(runs_, (0.5, 0.7), strict=True):
        write_alignment(run, precision, 0.4)
    study.collect(runs_, tmp_path / 'study.csv')
    text = write_page(tmp_path, monkeypatch, pd.read_csv(tmp_path / 'study.csv'))
    half = student.ppf(0.975, 1) * 0.1
    assert '| map | seeds | stage 1 |' in text
    assert 'a random map has 0.400.' in text
    assert f'| total | 2 | 0.60 ± {half:.2f} |' in text


def test_the_departure_is_compared_with_its_controls_training_by_training():
    precision = {'departure': (0.5, 0.7), 'departure, other image': (0.6, 0.5), 'Grad-CAM': (0.45, 0.55)}
    common = dict(study='detection', contender='dmsca', stage=1, area=0.4)
    rows = pd.DataFrame([common | dict(seed=seed, map=kind, precision=value)
                         for kind, values in precision.items() for seed, value in enumerate(values)])
    text = study_alignment.map_table(rows, studies.STUDIES)
    quantile = student.ppf(0.975, 1)
    assert f'| a random map | 2 | +0.20 ± {quantile * 0.1:.2f} (0) |' in text
    assert f'| the objects of other images | 2 | +0.05 ± {quantile * 0.15:.2f} (1) |' in text
    assert f'| Grad-CAM | 2 | +0.10 ± {quantile * 0.05:.2f} (0) |' in text


def test_a_map_that_lacks_a_stage_leaves_its_column_empty():
    common = dict(study='detection', contender='dmsca', seed=0, precision=0.5, area=0.4)
    rows = pd.DataFrame([common | dict(map=kind, stage=stage)
                         for kind, stage in (('departure', 1), ('departure', 2), ('total', 2))])
    assert '| total | 1 |  | 0.50 |' in study_alignment.map_table(rows, studies.STUDIES)


def test_what_one_seed_has_is_on_the_page_without_an_interval(tmp_path, monkeypatch):
    run = finish(tmp_path, 'dmsca', 0)
    write_alignment(run, 0.5, 0.4)
    study.collect([run], tmp_path / 'study.csv')
    text = write_page(tmp_path, monkeypatch, table_of(none=[40, 50], dmsca=[44], rate_3=[45, 52]))
    assert '| total | 1 | 0.50 |' in text
    assert '| learning rate × 3 | 2 | +1.00 | +3.50 ±' in text
    assert 'nan' not in text


def test_a_recipe_is_compared_with_dmsca_and_the_plain_network(tmp_path, monkeypatch):
    text = write_page(tmp_path, monkeypatch, table_of(none=[40, 50, 30], dmsca=[44, 50, 27], rate_3=[45, 52]))
    half = student.ppf(0.975, 1) * 0.5
    own, plain = f'+1.50 ± {half:.2f}', f'+3.50 ± {3 * half:.2f}'
    assert f'| learning rate × 3 | 2 | {own} | {plain} |' in text
    assert text.count('| learning rate × 3 |') == 1, 'the attentions, of other seeds, have a table of their own'
    assert 'against the plain network: +2.00 on these seeds, -3.00 on the others (clean).' in text


@pytest.mark.parametrize(('seed_3', 'verdict'), [(46.1, 'a difference'), (60.0, 'no difference found')])
def test_a_hint_is_tested_on_the_seeds_planned_for_it_alone(seed_3, verdict):
    text = page_in_docs(table_of(none=[40] * 5, se=[80, 10, 40, 42, 10], dmsca=[10, 90, 44, seed_3, 90]),
                        hint=studies.Hint('se', 'corrupted', range(2, 4)))
    mean = ((44 - 40) + (seed_3 - 42)) / 4
    assert f'A hint, DMSCA against SE, corrupted, tested on 2 seeds of its own: {mean:+.2f} ± ' in text
    assert text.split('A hint')[1].splitlines()[0].endswith(f': {verdict}.')


def test_a_hint_has_no_verdict_before_all_its_seeds_have_run():
    text = page_in_docs(table_of(none=[40] * 4, dmsca=[10, 90, 41, 41.1]),
                        hint=studies.Hint('none', 'clean', range(2, 5)))
    assert '\n  A hint, DMSCA against plain, clean, is being tested: 2 of 3 seeds of its own have run.\n' in text


def test_seeds_that_only_test_a_hint_are_in_no_other_comparison():
    few = dict(none=[40, 50, 30], se=[41, 52, 30], dmsca=[44, 50, 27])
    before = page_in_docs(table_of(**few), seeds=3, hint=None)
    after = page_in_docs(table_of(none=[*few['none'], 99, 10], se=few['se'], dmsca=[*few['dmsca'], 99.5, 13.5]),
                         seeds=3, hint=studies.Hint('none', 'clean', range(3, 5)))
    half = 1.5 * student.ppf(0.975, 1)
    at = after.index(f'\n  A hint, DMSCA against plain, clean, tested on 2 seeds of its own: +2.00 ± {half:.2f} ')
    assert (after[:at] + after[after.index('\n', at + 1):]).replace('\n13 runs', '\n9 runs') == before


def test_the_spread_of_the_gates_is_that_of_all_seeds():
    rows = table_of(none=[40, 50, 30], dmsca=[44, 50, 27]).assign(channel_spread=[0, 0, 0, 0.1, 0.1, 0.4])
    text = page_in_docs(rows, seeds=2, hint=studies.Hint('none', 'clean', range(2, 3)))
    line = next(line for line in text.splitlines() if line.startswith('| DMSCA | 2 |'))
    assert '| 0.20; 0.10; 0.10 |' in line, 'the seed that only tests the hint included'
