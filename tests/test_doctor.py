"""``python -m dmsca_mm`` names what is broken and the command that fixes it."""
import os
import re
import subprocess
import sys
from importlib import metadata

import pytest
import torch

from dmsca_mm import doctor
from dmsca_mm.attention.dmsca.cpu import library
from dmsca_mm.compat import requirements


def by_name(findings):
    return {finding.what: finding for finding in findings}


@pytest.fixture(scope='module')
def healthy():
    return doctor.examine()


def test_what_the_tests_run_in_is_found_healthy(healthy):
    assert [finding for finding in healthy if finding.fault or finding.command] == []
    found = by_name(doctor.abilities(healthy))
    assert [found[what].found for what in ('the operator', 'detectors', 'segmenters', 'classifiers')] == ['yes'] * 4
    assert f'torch           {torch.__version__}' in doctor.report(healthy).splitlines()
    assert 'To mend' not in doctor.report(healthy)


def distribution(folder, name, version):
    information = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    information.mkdir()
    (information / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')


def test_broken_packages_are_named_and_nothing_can_be_trained(tmp_path):
    """mmcv-lite, which has no operators; an mmdet that refuses its mmcv; two builds of OpenCV."""
    for name, content in (('mmcv', '__version__ = "2.2.0"'),
                          ('mmdet', 'assert False, "MMCV==2.2.0 is used but incompatible"')):
        (tmp_path / name).mkdir()
        (tmp_path / name / '__init__.py').write_text(content)
    distribution(tmp_path, 'opencv-python-headless', '4.1')
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join((str(tmp_path), os.environ.get('PYTHONPATH', '')))}
    ended = subprocess.run([sys.executable, '-m', 'dmsca_mm'], env=environment, text=True, capture_output=True,
                           timeout=120, cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert 'Traceback' not in ended.stderr
    lines = ended.stdout.splitlines()
    listed = lines[lines.index('To mend:') + 1:]
    faults = {name: (line, command.strip()) for line, command in zip(listed[::2], listed[1::2], strict=True)
              for name in line.split(': ')[0].split(', ')}
    assert len({command for _, command in faults.values()}) == len(listed) / 2, 'a fault of several is printed once'
    assert 'no usable compiled operators' in faults['mmcv'][0]
    assert faults['mmcv'][1].startswith('pip install --force-reinstall')
    assert 'no usable compiled operators' in faults['mmdet'][0], 'its first fault'
    assert faults['OpenCV'][1].startswith('pip uninstall -y opencv-python opencv-python-headless')
    assert 'detectors       no: mmcv, mmdet' in lines
    assert 'the operator    yes' in lines


def test_two_builds_of_opencv_of_one_version_are_no_fault(tmp_path, monkeypatch):
    distribution(tmp_path, 'opencv-python', '5.0')
    distribution(tmp_path, 'opencv-python-headless', '5.0')
    monkeypatch.setattr(doctor, 'distributions', lambda: metadata.distributions(path=[str(tmp_path)]))
    finding = by_name(doctor.examine())['OpenCV']
    assert (finding.found, finding.fault) == ('opencv-python 5.0, opencv-python-headless 5.0', '')


def test_a_library_that_opencv_lacks_is_named(monkeypatch):
    def lacks(name):
        if name == 'cv2':
            raise ImportError('libGL.so.1: cannot open shared object file')
    monkeypatch.setattr(doctor, 'import_module', lacks)
    finding = by_name(doctor.examine())['OpenCV']
    assert 'libGL.so.1' in finding.fault
    assert finding.command.endswith('opencv-python-headless')


def test_an_mmdet_that_refuses_its_mmcv_is_named(monkeypatch):
    def refuse(name):
        if name == 'mmdet':
            raise AssertionError('MMCV==2.2.0 is used but incompatible. Please install mmcv>=2.0.0rc4, <2.2.0.')
    monkeypatch.setattr(doctor, 'import_module', refuse)
    finding = by_name(doctor.examine())['mmdet']
    assert finding.fault.startswith('MMCV==2.2.0 is used but incompatible')
    assert re.fullmatch(r'pip install --no-build-isolation (onedl-)?mmcv==\S+ (onedl-)?mmdet\S*==\S+', finding.command)


@pytest.mark.parametrize(('version', 'operator', 'detectors'), [('2.3.1', 'no: torch', 'no: torch'),
                                                                ('2.5.0+cu121', 'yes', 'no: torch')])
def test_an_old_torch_is_named(version, operator, detectors, monkeypatch):
    monkeypatch.setattr(torch, '__version__', version)
    found = doctor.examine()
    assert by_name(found)['torch'].command.startswith('pip install --upgrade torch')
    able = by_name(doctor.abilities(found))
    assert (able['the operator'].found, able['detectors'].found) == (operator, detectors)


def test_missing_pkg_resources_is_named(monkeypatch):
    monkeypatch.setattr(doctor, 'find_spec', lambda name: None)
    assert by_name(doctor.examine())['setuptools'].command == requirements.SETUPTOOLS


def test_kernels_that_are_not_built_are_named_with_the_command(monkeypatch):
    def missing():
        raise library.LoadError('libdmsca-x86_64.so is not built')
    monkeypatch.setattr(library, 'load', missing)
    finding = by_name(doctor.examine())['CPU kernels']
    assert finding.fault.startswith('libdmsca-x86_64.so is not built')
    assert finding.command.startswith('python -m dmsca_mm.native')


def test_a_torch_without_cuda_beside_a_driver_is_named(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip('the GPU here is usable')
    monkeypatch.setattr(doctor.shutil, 'which', lambda name: '/usr/bin/nvidia-smi')
    finding = by_name(doctor.examine())['GPU']
    assert finding.found.startswith('not usable: there is a driver, and torch is built')
    assert 'pytorch.org' in finding.command
