// Forward: computes Y and the statistics for backward from X and the parameters.
#pragma once
#include "gates.h"
#include "map_nchw.h"
#include "map_nhwc.h"

namespace dmsca {
namespace {

template <class T, class S>
Image<T> image(const Plan& plan, T* data, int64_t n, const S* whole) {
    const int64_t size = plan.c * plan.pixels;
    return Image<T>{data + n * size, plan.c, plan.pixels, whole + plan.n * size};
}

inline ChannelRows channel_rows(const Plan& plan, int64_t n) {
    const int64_t at = n * plan.c_room;
    return ChannelRows{plan.u, plan.v, plan.w_row, plan.a_c + at, plan.ua + at, plan.wa + at, nullptr, nullptr, nullptr};
}

// The blend of one vector of pixels: G, (1 − G)·A_s and α / s.
struct Blend {
    vec gate, rest, activation;

    Blend(const DmscaCall& a, vec e_u, vec e_w, vec d_v, vec d_w, vec spatial) {
        gate = sigmoid(e_u + spatial * d_v + *a.dff_gate_bias);
        rest = spatial - gate * spatial;
        activation = sigmoid(gate * e_w + rest * d_w + *a.aa_conv_bias);
    }
};

// The maximum of numbers whose sum is NaN. It is NaN if one of them is; otherwise there are infinities of both signs.
template <class Number>
float exact_maximum(int64_t count, Number number) {
    float most = number(0);
    for (int64_t i = 1; i < count && most == most; i++) {
        const float value = number(i);
        most = value <= most ? most : value;
    }
    return most;
}

// D, d_v and d_w of a tile, and its part of the pools.
template <class Map, class S>
void reduce_forward(const Plan& plan, int64_t n, int64_t t) {
    const DmscaCall& a = plan.a;
    const int64_t first = plan.wide.first(t), count = plan.wide.length(t), at = n * plan.p_room + first;
    const Image<const S> x = image(plan, (const S*)a.x, n, (const S*)a.x);
    alignas(64) float mean[wide_tile], max[wide_tile], d_v[wide_tile], d_w[wide_tile];
    float* sums = plan.partial + (n * plan.wide.count + t) * 2 * plan.c_room;
    Map::reduce(x, first, count, channel_rows(plan, n), PixelSums{mean, max, d_v, d_w}, sums, sums + plan.c_room);
    float* layers = a.layers + n * 2 * plan.pixels + first;
    for (int64_t p = 0; p < count; p++)
        if (mean[p] != mean[p])
            max[p] = exact_maximum(plan.c, [&](int64_t c) { return Map::number(x, c, first + p); });
    for (int64_t p = 0; p < count; p++) layers[p] = mean[p] / plan.c;
    memcpy(layers + plan.pixels, max, count * sizeof(float));
    memcpy(plan.p + at, d_v, count * sizeof(float));
    memcpy(plan.q + at, d_w, count * sizeof(float));
}

// P and Q of a tile; they overwrite d_v and d_w.
template <class Map, class S>
void blend(const Plan& plan, int64_t n, int64_t t) {
    const DmscaCall& a = plan.a;
    const int64_t first = plan.wide.first(t), count = plan.wide.length(t), at = n * plan.p_room + first;
    const Image<const S> x = image(plan, (const S*)a.x, n, (const S*)a.x);
    alignas(64) float e_u[wide_tile], e_w[wide_tile];
    Map::dots(x, first, count, channel_rows(plan, n), e_u, e_w);
    for (int64_t i = 0; i < count; i += lanes) {
        float *p = plan.p + at + i, *q = plan.q + at + i;
        const Blend blend(a, load(e_u + i), load(e_w + i), load(p), load(q), load(plan.spatial + at + i));
        const vec activation = (float)a.scale * blend.activation;
        store(p, activation * blend.gate), store(q, activation * blend.rest);
    }
}

// Y of a piece.
template <class Map, class S>
void scale(const Plan& plan, int64_t n, const Piece& piece) {
    const DmscaCall& a = plan.a;
    const int64_t at = n * plan.p_room + piece.first;
    Map::scale(image(plan, (const S*)a.x, n, (const S*)a.x), image(plan, (S*)a.out, n, (const S*)a.out), piece,
               channel_rows(plan, n), plan.p + at, plan.q + at);
}

template <class Map, class S>
void forward(const DmscaCall& a) {
    const Plan plan(a, false);
    auto spatial_maximum = [&](int64_t n, int64_t c) {
        const Image<const S> x = image(plan, (const S*)a.x, n, (const S*)a.x);
        return exact_maximum(plan.pixels, [&](int64_t p) { return Map::number(x, c, p); });
    };
    const int64_t wide = plan.wide.count, pieces = plan.pieces.count();
    prepare_weights(plan);
    run_team(a.threads, [&](Team team) {
        team.each(plan.n * wide, [&](int64_t i) { reduce_forward<Map, S>(plan, i / wide, i % wide); });
        team.barrier();
        team.each(plan.n * plan.blocks(), [&](int64_t i) {
            finish_pools(plan, i / plan.blocks(), i % plan.blocks(), spatial_maximum);
        });
        team.each(plan.n, [&](int64_t n) { directional_gate(plan, n); });
        team.barrier();
        team.each(plan.hidden, [&](int64_t j) { hidden_unit(plan, j); });
        team.each(plan.n * plan.h, [&](int64_t i) { spatial_gate(plan, i / plan.h, i % plan.h); });
        team.barrier();
        team.each(plan.blocks(), [&](int64_t block) { channel_gate(plan, block); });
        team.barrier();
        team.each(plan.n, [&](int64_t n) { modulate_rows(plan, n); });
        team.barrier();
        team.each(plan.n * wide, [&](int64_t i) { blend<Map, S>(plan, i / wide, i % wide); });
        team.barrier();
        team.each_backwards(plan.n * pieces,
                            [&](int64_t i) { scale<Map, S>(plan, i / pieces, plan.pieces[i % pieces]); });
    });
}

}  // namespace
}  // namespace dmsca
