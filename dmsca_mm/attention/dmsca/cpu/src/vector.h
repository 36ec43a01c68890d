// Vectors of LANES floats with the compiler's vector extension: portable, no intrinsics. Each variant of the library
// sets LANES to its vector length. All arithmetic is fp32; storage is fp32 or bf16.
#pragma once
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <type_traits>

namespace dmsca {
namespace {

constexpr int64_t lanes = LANES;
constexpr float infinity = std::numeric_limits<float>::infinity();

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t ivec __attribute__((vector_size(LANES * 4)));
typedef uint32_t uvec __attribute__((vector_size(LANES * 4)));
typedef uint16_t hvec __attribute__((vector_size(LANES * 2)));

struct bf16 {
    uint16_t bits;
};

inline vec broadcast(float value) { return vec{} + value; }

inline vec load(const float* from) {
    vec value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

inline vec load(const bf16* from) {
    hvec bits;
    std::memcpy(&bits, from, sizeof bits);
    return (vec)(__builtin_convertvector(bits, uvec) << 16);
}

inline void store(float* to, vec value) { std::memcpy(to, &value, sizeof value); }

// Rounds to nearest, ties to even. NaN is not rounded, as losing its payload would make it infinity.
inline void store(bf16* to, vec value) {
    uvec bits = (uvec)value;
    uvec rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    hvec out = __builtin_convertvector((uvec)(value == value ? (ivec)rounded : (ivec)((bits >> 16) | 0x40u)), hvec);
    std::memcpy(to, &out, sizeof out);
}

inline ivec first_lanes(int64_t count) {
    ivec index;
    for (int32_t i = 0; i < lanes; i++) index[i] = i;
    return index < (ivec{} + (int32_t)count);
}

// Reads a vector of scratch memory, where a whole one is always readable. Lanes from `count` on are set to zero.
template <bool full>
inline vec load_lanes(const float* from, int64_t count) {
    if constexpr (full) return load(from);
    else return first_lanes(count) ? load(from) : vec{};
}

// Reads `count` numbers and sets the other lanes to `fill`. Reads a whole vector if it does not extend beyond `end`.
template <class S>
inline vec load_part(const S* from, int64_t count, const S* end, float fill) {
    S part[lanes] = {};
    if (from + lanes > end) {
        for (int64_t i = 0; i < count; i++) part[i] = from[i];
        from = part;
    }
    return first_lanes(count) ? load(from) : broadcast(fill);
}

template <class S>
inline void store_part(S* to, vec value, int64_t count) {
    S part[lanes];
    store(part, value);
    for (int64_t i = 0; i < count; i++) to[i] = part[i];
}

// The larger of both. NaN in `value` is ignored; the callers detect it by their sums.
inline vec larger(vec value, vec than) { return value > than ? value : than; }

inline vec shuffle(vec a, vec b, ivec from) {
#ifdef __clang__
    vec result;
    for (int i = 0; i < LANES; i++) result[i] = from[i] < LANES ? a[from[i]] : b[from[i] - LANES];
    return result;
#else
    return __builtin_shuffle(a, b, from);
#endif
}

// Both vectors consist of groups of 2·size lanes. Returns the lower (part 0) or upper (part 1) half of every group,
// first those of `a`, then those of `b`.
template <int size>
inline vec halves(vec a, vec b, int part) {
    ivec from;
    for (int i = 0; i < LANES; i++) from[i] = i / size * 2 * size + i % size + part * size;
    return shuffle(a, b, from);
}

// Reduces each of four vectors to one number, at the cost of two such reductions, and writes the first `count`.
template <class Combine>
inline void across(const vec* four, int count, float* results, int64_t stride, Combine combine) {
    vec first = combine(halves<LANES / 2>(four[0], four[1], 0), halves<LANES / 2>(four[0], four[1], 1));
    vec second = combine(halves<LANES / 2>(four[2], four[3], 0), halves<LANES / 2>(four[2], four[3], 1));
    vec value = combine(halves<LANES / 4>(first, second, 0), halves<LANES / 4>(first, second, 1));
    for (int distance = LANES / 8; distance; distance /= 2) {  // each of the four now has a quarter of the lanes
        ivec from;
        for (int i = 0; i < LANES; i++) from[i] = i ^ distance;
        value = combine(value, shuffle(value, value, from));
    }
    for (int i = 0; i < count; i++) results[i * stride] = value[i * (LANES / 4)];
}

inline void sums(const vec* four, int count, float* results, int64_t stride = 1) {
    across(four, count, results, stride, [](vec a, vec b) { return a + b; });
}

inline void maxima(const vec* four, int count, float* results) {
    across(four, count, results, 1, [](vec a, vec b) { return larger(a, b); });
}

inline float sum(vec value) {
    const vec four[4] = {value};
    float result;
    sums(four, 1, &result);
    return result;
}

// exp as 2^k · polynomial, within 2 units in the last place; exact for 0; propagates NaN.
inline vec exponential(vec x) {
    x = x > 88.0f ? broadcast(88.0f) : x;
    x = x < -87.0f ? broadcast(-87.0f) : x;
    const float shift = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer
    vec shifted = x * 1.44269504088896341f + shift;
    vec k = shifted - shift;
    vec r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    vec p = 1.9875691500e-4f * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * (vec)(((uvec)shifted << 23) + (127u << 23));
}

inline vec sigmoid(vec x) { return 1.0f / (1.0f + exponential(-x)); }

inline float dot(const float* a, const float* b, int64_t count) {
    vec total = {};
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) total += load(a + i) * load(b + i);
    float result = sum(total);
    for (; i < count; i++) result += a[i] * b[i];
    return result;
}

inline void add_scaled(float* to, float factor, const float* from, int64_t count) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) store(to + i, load(to + i) + factor * load(from + i));
    for (; i < count; i++) to[i] += factor * from[i];
}

// Calls `step(i, full)` for every vector of [0, count); `full` is a type, false for a partial vector at the end.
template <class Step>
inline void for_vectors(int64_t count, Step step) {
    int64_t i = 0;
    for (; i + lanes <= count; i += lanes) step(i, std::true_type());
    if (i < count) step(i, std::false_type());
}

}  // namespace
}  // namespace dmsca
