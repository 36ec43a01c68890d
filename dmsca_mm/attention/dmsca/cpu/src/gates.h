// Forward of the small stages: A_c from the pools, A_s from D.
#pragma once
#include <math.h>

#include "plan.h"
#include "team.h"

namespace dmsca {
namespace {

constexpr float max_log_temperature = 2.995732273553991f;  // ln 20

inline float temperature(const Plan& plan) {
    float value = *plan.a.tca_log_temperature;
    value = value > max_log_temperature ? max_log_temperature : value;
    value = value < -max_log_temperature ? -max_log_temperature : value;
    return expf(value);
}

// The rows u, v and w, padded to whole vectors, and all scales as one convolution.
inline void prepare_weights(const Plan& plan) {
    const DmscaCall& a = plan.a;
    for (int64_t c = 0; c < plan.c_room; c++) {
        const bool inside = c < plan.c;
        plan.u[c] = inside ? a.dff_gate_weight[c] : 0;
        plan.v[c] = inside ? a.dff_gate_weight[plan.c + c] : 0;
        plan.w_row[c] = inside ? a.aa_conv_weight[c] : 0;
    }
    const int64_t k = plan.kernel;
    for (int64_t i = 0; i < 2 * k * k; i++) plan.folded[i] = 0;
    for (int64_t branch = 0; branch < a.branches; branch++) {
        const int64_t size = a.kernel_sizes[branch], border = (k - size) / 2;
        for (int64_t plane = 0; plane < 2; plane++)
            for (int64_t y = 0; y < size; y++)
                for (int64_t x = 0; x < size; x++)
                    plan.folded[(plane * k + y + border) * k + x + border] +=
                        a.msce_fuse_weight[branch] * a.msce_convs_weight[branch][(plane * size + y) * size + x];
    }
}

inline float folded_bias(const DmscaCall& a) {
    float bias = *a.msce_fuse_bias;
    for (int64_t i = 0; i < a.branches; i++) bias += a.msce_fuse_weight[i] * *a.msce_convs_bias[i];
    return bias;
}

// Copies a map into a border of zeros.
inline void pad(const Plan& plan, const float* map, float* padded) {
    const int64_t r = plan.radius, width = plan.pad_width;
    for (int64_t y = 0; y < plan.h + 2 * r; y++) {
        float* row = padded + y * width;
        const bool inside = y >= r && y < r + plan.h;
        for (int64_t x = 0; x < width; x += lanes) store(row + x, vec{});
        if (inside) memcpy(row + r, map + (y - r) * plan.w, plan.w * sizeof(float));
    }
}

// σ of a convolution along one axis of both layers.
inline void direction(const float* means, int64_t length, int64_t stride, const float* weight, const float* bias,
                      int64_t size, float* out) {
    for (int64_t i = 0; i < length; i++) {
        float logit = *bias;
        for (int64_t plane = 0; plane < 2; plane++)
            for (int64_t j = 0; j < size; j++) {
                const int64_t at = i + j - size / 2;
                if (at >= 0 && at < length) logit += weight[plane * size + j] * means[plane * stride + at];
            }
        out[i] = logit;
    }
    for_vectors(length, [&](int64_t i, auto full) {
        if constexpr (full) store(out + i, sigmoid(load(out + i)));
        else store_part(out + i, sigmoid(load_part(out + i, length - i, out + length, 0.0f)), length - i);
    });
}

// For an image, everything that A_s needs from D except the convolution: padded layers, means, σ(R) and σ(K).
inline void directional_gate(const Plan& plan, int64_t n) {
    const DmscaCall& a = plan.a;
    for (int64_t plane = 0; plane < 2; plane++) {
        const float* layer = a.layers + (n * 2 + plane) * plan.pixels;
        float* padded = plan.padded + (n * 2 + plane) * plan.pad_plane;
        pad(plan, layer, padded);
        float* columns = plan.column_means + (n * 2 + plane) * plan.w_room;
        for (int64_t x = 0; x < plan.w_room; x += lanes) store(columns + x, vec{});
        for (int64_t y = 0; y < plan.h; y++) {
            const float* row = padded + (y + plan.radius) * plan.pad_width + plan.radius;
            vec total = {};
            for (int64_t x = 0; x < plan.w_room; x += lanes) {
                vec value = x + lanes <= plan.w ? load(row + x) : load_lanes<false>(row + x, plan.w - x);
                total += value, store(columns + x, load(columns + x) + value);
            }
            plan.row_means[(n * 2 + plane) * plan.h + y] = sum(total) / plan.w;
        }
        for (int64_t x = 0; x < plan.w; x++) columns[x] /= plan.h;
    }
    direction(plan.row_means + n * 2 * plan.h, plan.h, plan.h, a.dii_conv_h_weight, a.dii_conv_h_bias,
              a.direction_size, plan.rows + n * plan.h);
    direction(plan.column_means + n * 2 * plan.w_room, plan.w, plan.w_room, a.dii_conv_w_weight, a.dii_conv_w_bias,
              a.direction_size, plan.columns + n * plan.w_room);
}

// V vectors of a row of the convolution of both layers with the folded kernel.
template <int V>
inline void convolve(const Plan& plan, const float* padded, int64_t y, int64_t x, vec* out) {
    const int64_t k = plan.kernel;
    vec first[V] = {}, second[V] = {};
    for (int64_t i = 0; i < k; i++) {
        const float* row = padded + (y + i) * plan.pad_width + x;
        const float *one = plan.folded + i * k, *two = one + k * k;
        for (int64_t j = 0; j < k; j++)
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) {
                first[v] += one[j] * load(row + j + v * lanes);
                second[v] += two[j] * load(row + plan.pad_plane + j + v * lanes);
            }
    }
    for (int v = 0; v < V; v++) out[v] = first[v] + second[v];
}

// A row of A_s.
inline void spatial_gate(const Plan& plan, int64_t n, int64_t y) {
    const DmscaCall& a = plan.a;
    const float bias = folded_bias(a), last = a.msce_fuse_weight[a.branches] * plan.rows[n * plan.h + y];
    const float* padded = plan.padded + n * 2 * plan.pad_plane;
    const float* columns = plan.columns + n * plan.w_room;
    float* out = plan.spatial + n * plan.p_room + y * plan.w;
    int64_t x = 0;
    auto finish = [&](vec logit) {
        vec value = (float)a.scale * sigmoid(logit + bias + last * load(columns + x));
        if (x + lanes <= plan.w) store(out + x, value);
        else store_part(out + x, value, plan.w - x);
        x += lanes;
    };
    vec logits[4];
    while (x + 4 * lanes <= plan.w_room) {
        convolve<4>(plan, padded, y, x, logits);
        for (vec logit : logits) finish(logit);
    }
    while (x < plan.w_room) {
        convolve<1>(plan, padded, y, x, logits);
        finish(logits[0]);
    }
}

// Pools of a block of channels from the sums of the tiles, added in order.
template <class Maximum>
inline void finish_pools(const Plan& plan, int64_t n, int64_t block, Maximum spatial_maximum) {
    const DmscaCall& a = plan.a;
    const int64_t end = (block + 1) * Plan::block < plan.c ? (block + 1) * Plan::block : plan.c;
    for (int64_t c = block * Plan::block; c < end; c++) {
        double total = 0;
        float most = -infinity;
        for (int64_t t = 0; t < plan.summed_tiles; t++) {
            const float* sums = plan.partial + (n * plan.summed_tiles + t) * 2 * plan.c_room + c;
            total += sums[0];
            most = sums[plan.c_room] > most ? sums[plan.c_room] : most;
        }
        if (total != total) most = spatial_maximum(n, c);
        a.spatial_max[n * plan.c + c] = most;
        a.pooled[n * plan.c + c] = (float)(total / plan.pixels) + most;
    }
}

// One unit of the hidden layer, for all images.
inline void hidden_unit(const Plan& plan, int64_t j) {
    const DmscaCall& a = plan.a;
    for (int64_t n = 0; n < plan.n; n++) {
        const float value = a.gce_fc1_bias[j] + dot(a.gce_fc1_weight + j * plan.c, a.pooled + n * plan.c, plan.c);
        a.hidden_units[n * plan.hidden + j] = value < 0 ? 0 : value;
    }
}

// A_c of a block of channels, for all images.
inline void channel_gate(const Plan& plan, int64_t block) {
    const DmscaCall& a = plan.a;
    const float tau = temperature(plan), scale = (float)a.scale;
    const int64_t start = block * Plan::block, end = start + Plan::block < plan.c ? start + Plan::block : plan.c;
    for (int64_t n = 0; n < plan.n; n++) {
        const float* hidden = a.hidden_units + n * plan.hidden;
        alignas(64) float scaled[Plan::block] = {};
        for (int64_t c = start; c < end; c++)
            scaled[c - start] =
                (a.gce_fc2_bias[c] + dot(a.gce_fc2_weight + c * plan.hidden, hidden, plan.hidden)) / tau;
        for (int64_t i = 0; i < Plan::block; i += lanes) store(scaled + i, scale * sigmoid(load(scaled + i)));
        for (int64_t c = start; c < end; c++) a.channel[n * plan.c + c] = scaled[c - start];
    }
}

// A_c, u ⊙ A_c and w ⊙ A_c of an image, zero-padded to whole vectors.
inline void modulate_rows(const Plan& plan, int64_t n) {
    for (int64_t c = 0; c < plan.c_room; c++) {
        const float value = c < plan.c ? plan.a.channel[n * plan.c + c] : 0;
        plan.a_c[n * plan.c_room + c] = value;
        plan.ua[n * plan.c_room + c] = plan.u[c] * value;
        plan.wa[n * plan.c_room + c] = plan.w_row[c] * value;
    }
}

}  // namespace
}  // namespace dmsca
