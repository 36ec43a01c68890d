// One variant of the kernels. compile_kernels.py compiles it for each instruction set, with its NAME and LANES.
#include "backward.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

extern "C" void JOIN(dmsca_attend_, NAME)(const DmscaCall* call, int backward) {
    using namespace dmsca;
    if (call->channels_last) {
        if (call->is_bf16) backward ? dmsca::backward<Nhwc<bf16>, bf16>(*call) : forward<Nhwc<bf16>, bf16>(*call);
        else backward ? dmsca::backward<Nhwc<float>, float>(*call) : forward<Nhwc<float>, float>(*call);
    } else {
        if (call->is_bf16) backward ? dmsca::backward<Nchw<bf16>, bf16>(*call) : forward<Nchw<bf16>, bf16>(*call);
        else backward ? dmsca::backward<Nchw<float>, float>(*call) : forward<Nchw<float>, float>(*call);
    }
}

extern "C" int64_t JOIN(dmsca_scratch_, NAME)(const DmscaCall* call, int backward) {
    return dmsca::Plan(*call, backward).floats;
}
