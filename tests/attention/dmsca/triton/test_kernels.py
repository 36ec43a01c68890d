"""The kernels compile for data-centre GPUs, also where there is none: Triton's interpreter would not notice."""
import json
import os
import subprocess
import sys

import pytest

# Runs by itself: the tests' own process may have imported Triton as an interpreter.
SCRIPT = """
import json
import sys
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from dmsca_mm.attention import kernels

capability, dtype, last, group = json.loads(sys.argv[1])
tiles = dict(look=(4, 256), apply=(256, 32), apply_backward=(4, 256), input_gradient=(4, 256))
for name, (block_c, block_p) in tiles.items():
    kernel = getattr(kernels, name)
    constants = dict(GROUP=group, CHANNELS_LAST=last, BLOCK_C=block_c, BLOCK_P=block_p)
    if name == 'apply':
        constants['HELD'] = True
    signature = {}
    for argument in kernel.arg_names:
        large = argument in ('x_ptr', 'y_ptr', 'dy_ptr', 'dx_ptr')
        signature[argument] = ('constexpr' if argument in constants else '*' + dtype if large else '*fp32'
                               if argument.endswith('_ptr') else 'fp32' if argument == 'scale' else 'i32')
    aligned = {(i,): [['tt.divisibility', 16]] for i, argument in enumerate(kernel.arg_names)
               if argument.endswith('_ptr') or argument == 'channels'}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
    compiled = compile(source, target=GPUTarget('cuda', capability, 32))
    widest = max(width for width in (1, 2, 4) if width == 1 or f'.v{width}.' in compiled.asm['ptx'])
    print(json.dumps(dict(name=name, cubin=len(compiled.asm['cubin']), widest=widest)))
"""


@pytest.mark.parametrize(('capability', 'dtype', 'channels_last', 'group'), [
    (80, 'fp16', False, 16), (90, 'bf16', False, 8), (90, 'bf16', True, 2), (90, 'fp32', False, 1)])
def test_kernels_compile(capability, dtype, channels_last, group, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != 'TRITON_INTERPRET'}
    done = subprocess.run([sys.executable, '-c', SCRIPT, json.dumps([capability, dtype, channels_last, group])],
                          env=dict(environment, TRITON_CACHE_DIR=str(tmp_path)), capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry['name'] for entry in found] == ['look', 'apply', 'apply_backward', 'input_gradient']
    assert all(entry['cubin'] for entry in found)
    if group >= 8 or channels_last:  # rows that are aligned are loaded sixteen bytes at a time
        assert all(entry['widest'] == 4 for entry in found)
