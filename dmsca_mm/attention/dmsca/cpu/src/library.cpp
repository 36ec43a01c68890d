// The library's entry points. They use the widest variant that this processor supports.
#include <cstring>

#include "call.h"

#define DECLARE(name)                                                    \
    void dmsca_attend_##name(const DmscaCall* call, int backward);       \
    int64_t dmsca_scratch_##name(const DmscaCall* call, int backward);

namespace {

struct Variant {
    const char* name;
    void (*attend)(const DmscaCall*, int);
    int64_t (*scratch)(const DmscaCall*, int);
};

}

extern "C" {

DECLARE(baseline)
#ifdef __x86_64__
DECLARE(avx2)
DECLARE(avx512)
#endif

}

namespace {

#define VARIANT(name) Variant{#name, dmsca_attend_##name, dmsca_scratch_##name}

const Variant variants[] = {
#ifdef __x86_64__
    VARIANT(avx512), VARIANT(avx2),
#endif
    VARIANT(baseline)};

bool runs_here([[maybe_unused]] const Variant& variant) {
#ifdef __x86_64__
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (!strcmp(variant.name, "avx2")) return avx2;
    if (!strcmp(variant.name, "avx512"))
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return true;
}

const Variant* pick() {
    const Variant* found = variants;
    while (!runs_here(*found)) found++;
    return found;
}

const Variant* used = pick();

}

#pragma GCC visibility push(default)
extern "C" {

// Hash of the sources that the library was built from, as computed by compile_kernels.py.
const char* dmsca_sources() { return SOURCES; }

const char* dmsca_variant() { return used->name; }

// Selects a variant. Returns 0 if no variant has this name or the processor does not support it.
int dmsca_use_variant(const char* name) {
    for (const Variant& variant : variants)
        if (!strcmp(variant.name, name) && runs_here(variant)) {
            used = &variant;
            return 1;
        }
    return 0;
}

int64_t dmsca_scratch(const DmscaCall* call, int backward) { return used->scratch(call, backward); }

void dmsca_attend(const DmscaCall* call, int backward) {
    used->attend(call, backward);
}

}
#pragma GCC visibility pop
