// Sizes derived from a call, and the layout of all small arrays in scratch memory.
#pragma once
#include "call.h"
#include "map.h"
#include "vector.h"

namespace dmsca {
namespace {

constexpr int64_t tile_bytes = 512 * 1024;  // of X; backward reads a tile of X and of dY twice: both fit the L2 cache
constexpr int64_t widest_tile = 1024;       // pixels
constexpr int64_t wide_tile = 512;          // pixels of a tile that is read once: long rows, sums in the L1 cache
constexpr int64_t run_pixels = 4096;        // of a piece in NCHW: rows of 16 kB, values for each pixel in a cache

inline int64_t round_up(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

// An image's pixels, divided into runs.
struct Tiling {
    int64_t size, pixels, count;

    Tiling(int64_t of, int64_t all) : size(of), pixels(all), count((all + of - 1) / of) {}

    int64_t first(int64_t t) const { return t * size; }
    int64_t length(int64_t t) const { return t + 1 < count ? size : pixels - t * size; }
};

inline Tiling tiling_in_cache(const DmscaCall& call) {
    const int64_t size = tile_bytes / (call.channels * (call.is_bf16 ? 2 : 4)) / lanes * lanes;
    return Tiling(size < lanes ? lanes : size > widest_tile ? widest_tile : size, call.height * call.width);
}

// An image's pieces; those of the same pixels are consecutive.
struct Pieces {
    Tiling channels, pixels;

    Pieces(const DmscaCall& call, int64_t block)
        : channels(call.channels_last ? call.channels : block, call.channels),
          pixels(call.channels_last ? tiling_in_cache(call) : Tiling(run_pixels, call.height * call.width)) {}

    int64_t count() const { return channels.count * pixels.count; }

    Piece operator[](int64_t i) const {
        const int64_t c = i % channels.count, p = i / channels.count;
        return Piece{channels.first(c), channels.length(c), pixels.first(p), pixels.length(p)};
    }
};

struct Plan {
    const DmscaCall& a;
    int64_t n, c, h, w, pixels, hidden;
    int64_t c_room, p_room, w_room;      // padded to whole vectors
    Tiling wide, tiles;                  // for passes that read a tile once, and twice
    Pieces pieces;                       // for passes that write a map
    int64_t summed_tiles;                // tiles of an image whose sums over pixels are stored separately
    int64_t kernel, radius;              // of the convolution that all scales are re-parameterized into
    int64_t pad_width, pad_plane;        // a map with a border of zeros
    // Scratch of both directions
    float *u, *v, *w_row;                // (c_room)
    float *folded;                       // (2, kernel, kernel)
    float *padded;                       // (n, 2, pad_plane): D
    float *row_means, *column_means;     // (n, 2, h), (n, 2, w_room)
    float *rows, *columns;               // σ(R), (n, h); σ(K), (n, w_room)
    float *spatial;                      // A_s, (n, p_room)
    float *a_c, *ua, *wa;                // A_c, u ⊙ A_c, w ⊙ A_c, (n, c_room)
    float *partial;                      // sums over the pixels of tiles, (n, summed_tiles, sums, c_room)
    float *p, *q;                        // (n, p_room); in forward, d_v and d_w until P and Q overwrite them
    // Backward
    float *d_e_u, *d_e_w, *d_d_v, *d_d_w, *max, *to_max, *to_all, *d_logit;  // (n, p_room)
    float *tile_bias;                    // (n, tiles, 2)
    float *d_context, *d_pooled, *equals, *spatial_max;   // (n, c_room)
    float *to_spatial_max, *to_channel_mean;  // (n, c_room)
    float *d_hidden_part, *d_hidden;     // (channel blocks, n, hidden), (n, hidden)
    double *tau_of_bias, *tau_of_unit;   // (channel blocks), (hidden)
    float *d_padded;                     // (n, pad_plane): gradient of A_s's logit
    float *d_layers;                     // (n, 2, p_room)
    float *d_row_means, *d_column_means; // (n, 2, h), (n, 2, w_room)
    float *d_rows, *d_columns;           // (n, h), (n, w_room)
    double *d_folded;                    // (n, 2, kernel, kernel)
    double *d_direction;                 // (n, 2, 2·d + 1): kernel and bias along rows, then along columns
    double *d_fuse;                      // (n, 2): the directional map's weight, the bias
    int64_t floats;                      // of scratch

    static constexpr int64_t block = 64;  // channels that a thread processes at a time

    int64_t blocks() const { return (c + block - 1) / block; }

    Plan(const DmscaCall& call, bool backward)
        : a(call), wide(wide_tile, call.height * call.width), tiles(tiling_in_cache(call)),
          pieces(call, block), summed_tiles(backward ? tiles.count : wide.count) {
        n = call.batch, c = call.channels, h = call.height, w = call.width, pixels = h * w, hidden = call.hidden;
        c_room = round_up(c, lanes), p_room = round_up(pixels, lanes) + lanes, w_room = round_up(w, lanes);
        kernel = 1;
        for (int64_t i = 0; i < call.branches; i++)
            if (call.kernel_sizes[i] > kernel) kernel = call.kernel_sizes[i];
        radius = kernel / 2;
        pad_width = round_up(w_room + 2 * radius, lanes), pad_plane = (h + 2 * radius) * pad_width;
        floats = 0;
        u = take(c_room), v = take(c_room), w_row = take(c_room);
        folded = take(2 * kernel * kernel);
        padded = take(n * 2 * pad_plane);
        row_means = take(n * 2 * h), column_means = take(n * 2 * w_room);
        rows = take(n * h), columns = take(n * w_room), spatial = take(n * p_room);
        a_c = take(n * c_room), ua = take(n * c_room), wa = take(n * c_room);
        partial = take(n * summed_tiles * (backward ? backward_sums : 2) * c_room);
        p = take(n * p_room), q = take(n * p_room);
        if (!backward) return;
        for (float** map : {&d_e_u, &d_e_w, &d_d_v, &d_d_w, &max, &to_max, &to_all, &d_logit}) *map = take(n * p_room);
        tile_bias = take(n * tiles.count * 2);
        for (float** row : {&d_context, &d_pooled, &equals, &spatial_max, &to_spatial_max, &to_channel_mean})
            *row = take(n * c_room);
        d_hidden_part = take(blocks() * n * hidden), d_hidden = take(n * hidden);
        tau_of_bias = (double*)take(2 * blocks()), tau_of_unit = (double*)take(2 * hidden);
        d_padded = take(n * pad_plane), d_layers = take(n * 2 * p_room);
        d_row_means = take(n * 2 * h), d_column_means = take(n * 2 * w_room);
        d_rows = take(n * h), d_columns = take(n * w_room);
        d_folded = (double*)take(2 * n * 2 * kernel * kernel);
        d_direction = (double*)take(2 * n * 2 * (2 * call.direction_size + 1));
        d_fuse = (double*)take(2 * n * 2);
    }

   private:
    // Each array starts at a cache line and has room for one more vector at its end.
    float* take(int64_t count) {
        float* start = a.scratch ? a.scratch + floats : nullptr;
        floats += round_up(count + lanes, 16);
        return start;
    }
};

}  // namespace
}  // namespace dmsca
