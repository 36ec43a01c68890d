"""Compile the kernels of a forward and a backward for a GPU that need not be present.

It runs as a script in a separate process, because Triton must not have been imported as an interpreter. It prints a
line of JSON for each kernel: name, registers per thread, bytes spilled per thread, and the largest vector width.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

SPILLS, HELD_SPILLS = 8, 128
"""Maximum bytes that a thread spills, and in ``apply``, which holds up to 2048 channels of X: on an H200 that takes a
third of the time of reading them twice."""
DTYPES = {torch.bfloat16: 'bf16', torch.float16: 'fp16', torch.float32: 'fp32'}


def hardly_spills(entry):
    """Whether a kernel keeps nearly all its values in registers."""
    return entry['spilled'] <= (HELD_SPILLS if entry['name'] == 'apply' else SPILLS)


def compiled(kernels, cache, **setting):
    """Compile the kernels of the modules whose names start with ``'map'`` or ``'gate'``, in launch order.

    Settings: capability (80 for 8.0), dtype and parameter_dtype ('bfloat16'), shape of X, channels_last, and module,
    the arguments of DMSCA.
    """
    environment = {name: value for name, value in os.environ.items() if name != 'TRITON_INTERPRET'}
    done = subprocess.run([sys.executable, __file__, kernels, json.dumps(setting)], capture_output=True, text=True,
                          env=dict(environment, TRITON_CACHE_DIR=str(cache)), timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def _main(kernels, capability, dtype, parameter_dtype, shape, channels_last=False, module=()):
    from dmsca_mm import DMSCA
    from dmsca_mm.attention.dmsca.triton import gate_stages, map_stages, passes

    def launch(kernel, grid, *arguments, **options):
        if kernel.__module__.rpartition('.')[2].startswith(kernels):
            print(json.dumps(dict(name=kernel.__name__, **_compile(kernel, capability, arguments, options))))

    gate_stages.launch = map_stages.launch = launch
    with torch.device('meta'):
        attention = DMSCA(shape[1], **dict(module)).to(getattr(torch, parameter_dtype))
        x = torch.empty(shape, dtype=getattr(torch, dtype))
    if channels_last:
        x, attention = (value.to(memory_format=torch.channels_last) for value in (x, attention))
    parameters = attention.operator_arguments()
    y, stats = passes.attend(x, parameters, attention.scale)
    passes.attend_backward(y, x, stats, parameters, attention.scale)


def _compile(kernel, capability, arguments, options):
    """Compile as Triton would for these arguments, with aligned tensors."""
    from triton import compile
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    values = dict(zip(kernel.arg_names, arguments, strict=False))
    signature, constants, aligned = {}, {}, {}
    for index, parameter in enumerate(kernel.params):
        name = parameter.name
        if parameter.is_constexpr:
            signature[name], constants[name] = 'constexpr', options.pop(name)
            continue
        value = values.pop(name)
        signature[name] = ('*' + DTYPES[value.dtype] if isinstance(value, torch.Tensor)
                           else 'fp32' if isinstance(value, float) else 'i32')
        if isinstance(value, torch.Tensor) or (
                isinstance(value, int) and value % 16 == 0 and not parameter.do_not_specialize):
            aligned[index,] = [['tt.divisibility', 16]]
    assert not values
    found = compile(ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned),
                    target=GPUTarget('cuda', capability, 32), options=options)
    widest = max(width for width in (1, 2, 4) if width == 1 or f'.v{width}.' in found.asm['ptx'])
    return dict(widest=widest, **_resources(found.asm['cubin']))


def _resources(cubin):
    import triton
    tool = Path(triton.__file__).parent / 'backends/nvidia/bin/cuobjdump'
    with tempfile.NamedTemporaryFile(suffix='.cubin') as file:
        file.write(cubin)
        file.flush()
        text = subprocess.run([tool, '--dump-resource-usage', file.name], check=True, capture_output=True,
                              text=True).stdout
    registers, stack, local = re.search(r'REG:(\d+) STACK:(\d+) .*LOCAL:(\d+)', text).groups()
    return dict(registers=int(registers), spilled=int(stack) + int(local))


if __name__ == '__main__':
    _main(sys.argv[1], **json.loads(sys.argv[2]))
