// Runs the CPU kernels over random shapes in memory of exactly the right size: `sanitize RUNS SEED`. Built with
// AddressSanitizer and UndefinedBehaviorSanitizer by test_sanitize.py.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "call.h"

extern "C" {
const char* dmsca_variant();
int dmsca_use_variant(const char*);
int64_t dmsca_scratch(const DmscaCall*, int);
void dmsca_attend(const DmscaCall*, int);
}

namespace {

std::mt19937 generator;

int64_t between(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator); }

// Memory whose end is where the sanitizer watches, filled with small random numbers.
template <class T>
struct Buffer {
    std::unique_ptr<T[]> data;

    explicit Buffer(int64_t count) : data(new T[count]) {
        std::normal_distribution<float> normal(0.0f, 0.5f);
        for (int64_t i = 0; i < count; i++) {
            const float value = normal(generator);
            uint32_t bits;
            static_assert(sizeof bits == sizeof value, "fp32");
            __builtin_memcpy(&bits, &value, sizeof bits);
            if (sizeof(T) == 2) {
                const uint16_t half = bits >> 16;
                __builtin_memcpy(&data[i], &half, 2);
            } else {
                __builtin_memcpy(&data[i], &value, sizeof(T) < 4 ? sizeof(T) : 4);
            }
        }
    }

    T* get() { return data.get(); }
};

bool is_finite(float value) { return std::isfinite(value); }
bool is_finite(uint16_t bits) { return (bits & 0x7f80) != 0x7f80; }

struct Problem {
    DmscaCall call{};
    std::vector<int64_t> sizes;
    std::vector<Buffer<float>> kept;
    std::vector<const float*> weights, biases;
    std::vector<float*> d_weights, d_biases;

    float* take(int64_t count) {
        kept.emplace_back(count);
        return kept.back().get();
    }

    // What the kernels have to write: NaN so far.
    float* take_empty(int64_t count) {
        float* start = take(count);
        std::memset(start, 0xff, count * sizeof(float));
        return start;
    }

    // Calls `parameter(pointer to const, pointer to its gradient, numbers)` for all but the lists.
    template <class Each>
    void parameters(Each parameter) {
        const int64_t c = call.channels, h = call.hidden, d = call.direction_size, m = call.branches;
        DmscaCall& a = call;
        parameter(a.gce_fc1_weight, a.d_gce_fc1_weight, h * c), parameter(a.gce_fc1_bias, a.d_gce_fc1_bias, h);
        parameter(a.gce_fc2_weight, a.d_gce_fc2_weight, c * h), parameter(a.gce_fc2_bias, a.d_gce_fc2_bias, c);
        parameter(a.tca_log_temperature, a.d_tca_log_temperature, 1);
        parameter(a.msce_fuse_weight, a.d_msce_fuse_weight, m + 1), parameter(a.msce_fuse_bias, a.d_msce_fuse_bias, 1);
        parameter(a.dii_conv_h_weight, a.d_dii_conv_h_weight, 2 * d);
        parameter(a.dii_conv_h_bias, a.d_dii_conv_h_bias, 1);
        parameter(a.dii_conv_w_weight, a.d_dii_conv_w_weight, 2 * d);
        parameter(a.dii_conv_w_bias, a.d_dii_conv_w_bias, 1);
        parameter(a.dff_gate_weight, a.d_dff_gate_weight, 2 * c), parameter(a.dff_gate_bias, a.d_dff_gate_bias, 1);
        parameter(a.aa_conv_weight, a.d_aa_conv_weight, c), parameter(a.aa_conv_bias, a.d_aa_conv_bias, 1);
    }
};

template <class S>
bool run(int64_t index) {
    Problem problem;
    DmscaCall& a = problem.call;
    a.batch = between(1, 3), a.channels = between(1, index % 10 ? 70 : 700);
    a.height = between(1, index % 10 ? 24 : 70), a.width = between(1, index % 10 ? 40 : 90);
    a.hidden = between(1, 40), a.branches = between(1, 4), a.direction_size = 2 * between(0, 5) + 1;
    a.channels_last = between(0, 1), a.is_bf16 = sizeof(S) == 2, a.threads = between(1, 4);
    a.scale = (double)between(1, 2);
    for (int64_t i = 0; i < a.branches; i++) problem.sizes.push_back(2 * between(0, 5) + 1);
    a.kernel_sizes = problem.sizes.data();
    const int64_t n = a.batch, c = a.channels, pixels = a.height * a.width;
    Buffer<S> x(n * c * pixels), dy(n * c * pixels), y(n * c * pixels), dx(n * c * pixels);
    std::memset(y.get(), 0xff, n * c * pixels * sizeof(S)), std::memset(dx.get(), 0xff, n * c * pixels * sizeof(S));
    a.pooled = problem.take_empty(n * c), a.spatial_max = problem.take_empty(n * c);
    a.hidden_units = problem.take_empty(n * a.hidden), a.channel = problem.take_empty(n * c);
    a.layers = problem.take_empty(n * 2 * pixels);
    problem.parameters([&](const float*& value, float*& gradient, int64_t count) {
        value = problem.take(count), gradient = problem.take_empty(count);
    });
    for (int64_t size : problem.sizes) {
        problem.weights.push_back(problem.take(2 * size * size)), problem.biases.push_back(problem.take(1));
        problem.d_weights.push_back(problem.take_empty(2 * size * size));
        problem.d_biases.push_back(problem.take_empty(1));
    }
    a.msce_convs_weight = problem.weights.data(), a.msce_convs_bias = problem.biases.data();
    a.d_msce_convs_weight = problem.d_weights.data(), a.d_msce_convs_bias = problem.d_biases.data();
    for (int backward = 0; backward < 2; backward++) {
        a.x = x.get(), a.dy = backward ? dy.get() : nullptr, a.out = backward ? dx.get() : y.get();
        a.scratch = nullptr;
        // As torch allocates it: at the start of a cache line.
        const int64_t bytes = dmsca_scratch(&a, backward) * 4;
        std::unique_ptr<void, void (*)(void*)> scratch(aligned_alloc(64, (bytes + 63) / 64 * 64), std::free);
        a.scratch = (float*)scratch.get();
        std::memset(scratch.get(), 0xff, bytes);  // NaN: what is used without having been written shows in the result
        dmsca_attend(&a, backward);
    }
    bool finite = true;
    for (int64_t i = 0; i < n * c * pixels; i++) finite = finite && is_finite(y.get()[i]) && is_finite(dx.get()[i]);
    problem.parameters([&](const float*&, float*& gradient, int64_t count) {
        for (int64_t i = 0; i < count; i++) finite = finite && std::isfinite(gradient[i]);
    });
    for (size_t i = 0; i < problem.sizes.size(); i++)
        for (int64_t j = 0; j < 2 * problem.sizes[i] * problem.sizes[i]; j++)
            finite = finite && std::isfinite(problem.d_weights[i][j]) && std::isfinite(*problem.d_biases[i]);
    if (!finite)
        std::printf("a result is not finite: N=%ld C=%ld H=%ld W=%ld channels_last=%ld bf16=%ld\n", (long)n, (long)c,
                    (long)a.height, (long)a.width, (long)a.channels_last, (long)a.is_bf16);
    return finite;
}

}  // namespace

int main(int count, char** arguments) {
    const int64_t runs = count > 1 ? std::atol(arguments[1]) : 1000;
    generator.seed(count > 2 ? std::atoi(arguments[2]) : 0);
    int64_t variants = 0;
    for (const char* variant : {"baseline", "avx2", "avx512"}) {
        if (!dmsca_use_variant(variant)) continue;
        variants++;
        for (int64_t i = 0; i < runs; i++)
            if (!(i % 2 ? run<float>(i) : run<uint16_t>(i))) return 1;
        std::printf("%s: %ld shapes\n", dmsca_variant(), (long)runs);
    }
    return variants ? 0 : 1;
}
