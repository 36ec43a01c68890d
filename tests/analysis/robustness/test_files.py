"""The three files hold the same metrics and name their model."""
import json

from PIL import Image

from dmsca_mm.analysis.robustness import Summary, table
from dmsca_mm.analysis.robustness.cells import CLEAN
from dmsca_mm.analysis.robustness.files import write_results

METRICS = {CLEAN: dict(mIoU=60.0, aAcc=90.0), ('fog', 1): dict(mIoU=40.0, aAcc=80.0), ('fog', 5): dict(mIoU=20.0),
           ('snow', 1): dict(mIoU=1.0)}


def test_files_hold_what_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr('sys.argv', ['tools/test_robustness.py', 'a b.py'])
    summary = Summary('mIoU', '%', 60.0, {('fog', 1): 40.0, ('fog', 5): 20.0})
    source = dict(config='configs/a.py', checkpoint='work/b.pth', checkpoint_sha256='aa', config_sha256='bb')
    write_results(tmp_path / 'out', summary, METRICS, source)
    found = json.loads((tmp_path / 'out/robustness.json').read_text())
    assert {key: found[key] for key in source} == source
    assert (found['clean'], found['mpc'], found['rpc'], found['metric']) == (60.0, 30.0, 0.5, 'mIoU')
    assert found['by_corruption'] == dict(fog=30.0)
    assert found['by_group'] == dict(weather=30.0)
    assert found['by_severity'] == {'1': 40.0, '5': 20.0}
    assert found['clean_metrics'] == METRICS[CLEAN]
    assert found['cells'] == dict(fog={'1': METRICS['fog', 1], '5': METRICS['fog', 5]})
    assert found['command'] == "tools/test_robustness.py 'a b.py'"
    versions = {name.removeprefix('onedl-') for name in found['versions']}
    assert {'torch', 'mmengine', 'imagecorruptions-imaug'} <= versions
    page = (tmp_path / 'out/robustness.md').read_text()
    assert page.startswith('# Robustness of a with b.pth\n')
    assert table(summary) in page
    assert found['date'] in page
    with Image.open(tmp_path / 'out/robustness.png') as picture:
        assert min(picture.size) > 300
