// Inputs and outputs of the passes over the feature map, which map_nchw.h and map_nhwc.h define for their layouts.
// Sums work on a tile: all channels of `count` pixels from pixel `first` on. Passes that write a map work on a piece.
#pragma once
#include "vector.h"

namespace dmsca {
namespace {

// One image of X, dY, Y or dX.
template <class S>
struct Image {
    S* data;
    int64_t channels, pixels;
    const S* end;  // of the whole tensor: vectors may be read up to here
};

// Some channels of some pixels: long rows of few channels in NCHW, all channels in channels_last. The pages of a piece
// are consecutive, whereas a tile in NCHW touches one or two pages for each channel.
struct Piece {
    int64_t channel, channels, first, count;
};

// A number for each channel, zero-padded to whole vectors.
struct ChannelRows {
    const float *u, *v, *w;         // rows of the gate and of the activation
    const float *a, *ua, *wa;       // A_c, u ⊙ A_c, w ⊙ A_c
    const float *spatial_max;       // max over pixels
    const float *to_max, *to_all;   // gradients of that maximum, for each pixel that equals it, and of the mean
};

// A number for each pixel of a tile, with room for whole vectors.
struct PixelSums {
    float *mean, *max, *d_v, *d_w;  // of reduce: sum and maximum over channels, dot products with v and w
};

struct PixelDots {
    float *e_u, *e_w, *d_v, *d_w;   // dot products with u ⊙ A_c, w ⊙ A_c, v, w
    float *by_channel, *by_pixel;   // Σ_c A_c·dY·X and Σ_c dY·X
    float *equals;                  // channels that equal the maximum over channels
};

struct PixelRows {
    const float *p, *q;                       // Y = X ⊙ (P ⊙ A_c + Q)
    const float *e_u, *e_w, *d_v, *d_w;       // gradients of the dot products
    const float *max, *to_max, *to_all;       // maximum over channels; gradients of it, for each channel that equals
                                              // it, and of the mean
};

// Reads a vector of a map. If it is not full, lanes from `count` on are set to `fill`.
template <bool full, class S>
inline vec read(const Image<const S>& image, const S* from, int64_t count, float fill) {
    if constexpr (full) return load(from);
    else return load_part(from, count, image.end, fill);
}

template <bool full, class S>
inline void write(S* to, vec value, int64_t count) {
    if constexpr (full) store(to, value);
    else store_part(to, value, count);
}

// Prefetches explicitly: the processor itself prefetches only within a page and along few rows at a time.
inline void fetch(const void* from) { __builtin_prefetch(from); }
inline void fetch_to_write(void* to) { __builtin_prefetch(to, 1); }

// Calls `group(i, size)` for [0, count) in groups of R, then one by one; `size` is a compile-time constant.
template <int R, class Group>
inline void for_groups(int64_t count, Group group) {
    int64_t i = 0;
    for (; i + R <= count; i += R) group(i, std::integral_constant<int, R>());
    for (; i < count; i++) group(i, std::integral_constant<int, 1>());
}

// For each channel, sums over the pixels of a tile: P·dY·X; X times the gradients of e_u, e_w, d_v, d_w; pixels that
// equal the maximum over pixels.
constexpr int backward_sums = 6;

}  // namespace
}  // namespace dmsca
