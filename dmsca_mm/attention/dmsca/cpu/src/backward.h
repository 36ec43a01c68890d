// Backward: computes dX and the gradients of all parameters from dY and the values that forward saved.
#pragma once
#include "forward.h"
#include "spatial_backward.h"

namespace dmsca {
namespace {

// Backpropagates through Y and the blend for a tile: gradients of the dot products and of A_s, sums over its pixels.
template <class Map, class S>
void apply_backward(const Plan& plan, int64_t n, int64_t t) {
    const DmscaCall& a = plan.a;
    const int64_t first = plan.tiles.first(t), count = plan.tiles.length(t), at = n * plan.p_room + first;
    const Image<const S> x = image(plan, (const S*)a.x, n, (const S*)a.x);
    const Image<const S> dy = image(plan, (const S*)a.dy, n, (const S*)a.dy);
    ChannelRows rows = channel_rows(plan, n);
    rows.spatial_max = plan.spatial_max + n * plan.c_room;
    alignas(64) float dots[7][widest_tile];
    memcpy(plan.max + at, a.layers + (n * 2 + 1) * plan.pixels + first, count * sizeof(float));
    Map::dots_backward(x, dy, first, count, rows, plan.max + at,
                       PixelDots{dots[0], dots[1], dots[2], dots[3], dots[4], dots[5], dots[6]});
    const float scale = (float)a.scale;
    vec gate_bias = {}, activation_bias = {};
    for_vectors(count, [&](int64_t i, auto full) {
        // Lanes beyond the tile are zero and add nothing to the sums over pixels.
        auto read = [&](const float* from) { return load_lanes<full>(from + i, count - i); };
        const vec e_w = read(dots[1]), d_v = read(dots[2]), d_w = read(dots[3]);
        const vec by_channel = read(dots[4]), by_pixel = read(dots[5]), spatial = read(plan.spatial + at);
        const Blend blend(a, read(dots[0]), e_w, d_v, d_w, spatial);
        const vec activation = scale * blend.activation;
        const vec d_logit = (by_channel * blend.gate + by_pixel * blend.rest) * activation * (1.0f - blend.activation);
        const vec d_rest = by_pixel * activation + d_logit * d_w;
        const vec d_gate = by_channel * activation + d_logit * e_w - d_rest * spatial;
        const vec d_e_u = d_gate * blend.gate * (1.0f - blend.gate);
        const vec d_spatial = d_rest * (1.0f - blend.gate) + d_e_u * d_v;
        gate_bias += d_e_u, activation_bias += d_logit;
        store(plan.p + at + i, activation * blend.gate), store(plan.q + at + i, activation * blend.rest);
        store(plan.d_e_u + at + i, d_e_u), store(plan.d_e_w + at + i, d_logit * blend.gate);
        store(plan.d_d_v + at + i, d_e_u * spatial), store(plan.d_d_w + at + i, d_logit * blend.rest);
        store(plan.d_logit + at + i, d_spatial * spatial * (1.0f - spatial / scale));
        store(plan.to_max + at + i, 1.0f / load(dots[6] + i));
    });
    plan.tile_bias[(n * plan.tiles.count + t) * 2] = sum(gate_bias);
    plan.tile_bias[(n * plan.tiles.count + t) * 2 + 1] = sum(activation_bias);
    Map::sums_backward(x, dy, first, count, rows,
                       PixelRows{plan.p + at, plan.q + at, plan.d_e_u + at, plan.d_e_w + at, plan.d_d_v + at,
                                 plan.d_d_w + at, plan.max + at, nullptr, nullptr},
                       plan.partial + (n * plan.tiles.count + t) * backward_sums * plan.c_room, plan.c_room);
}

// Gradients of D for each pixel of a tile: through the convolution, and through the means of its row and its column.
inline void layer_gradients(const Plan& plan, int64_t n, int64_t t) {
    const int64_t first = plan.wide.first(t), count = plan.wide.length(t), at = n * plan.p_room + first;
    const float *mean = plan.d_layers + n * 2 * plan.p_room + first, *max = mean + plan.p_room;
    const float *by_row = plan.d_row_means + n * 2 * plan.h, *by_column = plan.d_column_means + n * 2 * plan.w_room;
    int64_t y = first / plan.w, column = first % plan.w;
    for (int64_t i = 0; i < count; i++) {
        plan.to_all[at + i] = (mean[i] + by_row[y] + by_column[column]) / plan.c;
        plan.to_max[at + i] *= max[i] + by_row[plan.h + y] + by_column[plan.w_room + column];
        if (++column == plan.w) column = 0, y++;
    }
}

// dX of a piece.
template <class Map, class S>
void input_gradient(const Plan& plan, int64_t n, const Piece& piece) {
    const DmscaCall& a = plan.a;
    const int64_t at = n * plan.p_room + piece.first;
    ChannelRows rows = channel_rows(plan, n);
    rows.spatial_max = plan.spatial_max + n * plan.c_room;
    rows.to_max = plan.to_spatial_max + n * plan.c_room, rows.to_all = plan.to_channel_mean + n * plan.c_room;
    Map::input_gradient(image(plan, (const S*)a.x, n, (const S*)a.x), image(plan, (const S*)a.dy, n, (const S*)a.dy),
                        image(plan, (S*)a.out, n, (const S*)a.out), piece, rows,
                        PixelRows{plan.p + at, plan.q + at, plan.d_e_u + at, plan.d_e_w + at, plan.d_d_v + at,
                                  plan.d_d_w + at, plan.max + at, plan.to_max + at, plan.to_all + at});
}

inline void pad_maxima(const Plan& plan, int64_t n) {
    for (int64_t c = 0; c < plan.c_room; c++) {
        const int64_t at = n * plan.c_room + c;
        plan.spatial_max[at] = c < plan.c ? plan.a.spatial_max[n * plan.c + c] : 0;
        plan.to_spatial_max[at] = plan.to_channel_mean[at] = 0;
    }
}

template <class Map, class S>
void backward(const DmscaCall& a) {
    const Plan plan(a, true);
    prepare_weights(plan);
    const int64_t tiles = plan.tiles.count, wide = plan.wide.count, pieces = plan.pieces.count(), k = plan.kernel;
    run_team(a.threads, [&](Team team) {
        team.each(plan.n, [&](int64_t n) { directional_gate(plan, n), modulate_rows(plan, n), pad_maxima(plan, n); });
        team.barrier();
        team.each(plan.n * plan.h, [&](int64_t i) { spatial_gate(plan, i / plan.h, i % plan.h); });
        team.barrier();
        team.each(plan.n * tiles, [&](int64_t i) { apply_backward<Map, S>(plan, i / tiles, i % tiles); });
        team.barrier();
        team.each(plan.blocks(), [&](int64_t block) { finish_sums(plan, block), fc2_backward(plan, block); });
        team.each(plan.n, [&](int64_t n) { fuse_backward(plan, n), directional_gate_backward(plan, n); });
        team.barrier();
        team.each(plan.hidden, [&](int64_t j) { hidden_backward(plan, j); });
        team.each(plan.n * plan.h, [&](int64_t i) { layers_backward(plan, i / plan.h, i % plan.h); });
        team.each(plan.n * 2 * k, [&](int64_t i) { kernel_backward(plan, i / (2 * k), i / k % 2, i % k); });
        team.barrier();
        team.each(plan.blocks(), [&](int64_t block) { fc1_backward(plan, block); });
        team.each(plan.n * wide, [&](int64_t i) { layer_gradients(plan, i / wide, i % wide); });
        if (team.rank == 0) finish_weights(plan);
        team.barrier();
        team.each_backwards(plan.n * pieces,
                            [&](int64_t i) { input_gradient<Map, S>(plan, i / pieces, plan.pieces[i % pieces]); });
    });
}

}  // namespace
}  // namespace dmsca
