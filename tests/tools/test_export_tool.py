"""The tool that writes ONNX files, as a user runs it."""
import pytest
from commands import assert_one_line, own_lines


@pytest.mark.slow
def test_detector_is_exported_and_compared(call_in, untrained, digits, tmp_path):
    done = call_in(tmp_path, 'export_onnx.py', *untrained('detector'), '--out', 'model.onnx', '--cfg-options',
                   f'test_dataloader.dataset.data_root={digits}/', timeout=600)
    assert done.returncode == 0, done.stderr
    assert 'model.onnx agrees with the model: ' in own_lines(done)[-1]
    assert [path.name for path in tmp_path.iterdir()] == ['model.onnx']


@pytest.mark.parametrize(('out', 'more', 'words'), [
    ('model.pt', [], '--out model.pt: give a name that ends in .onnx'),
    ('none/model.onnx', [], 'the folder none does not exist'),
    ('model.onnx', ['--images', 'none.jpg'], 'none.jpg cannot be read'),
    ('model.onnx', ['--cfg-options', 'model.test_cfg.rcnn.nms.type=soft_nms'], "type 'soft_nms' cannot be exported")])
def test_mistakes_are_one_line_and_leave_nothing(out, more, words, call_here, untrained, tmp_path):
    assert_one_line(call_here('export_onnx.py', *untrained('detector'), '--out', out, *more), words)
    assert list(tmp_path.iterdir()) == []


def test_classifier_is_refused(call_here, untrained, tmp_path):
    assert_one_line(call_here('export_onnx.py', *untrained('classifier'), '--out', 'model.onnx'),
                    'ImageClassifier cannot be exported')
    assert list(tmp_path.iterdir()) == []
