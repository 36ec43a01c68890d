// Backward of the channel gate: from the gradient of A_c to those of the pools and of the weights.
#pragma once
#include "gates.h"

namespace dmsca {
namespace {

inline float sigmoid_slope(float value, float scale) { return value * (1 - value / scale); }

// For a block of channels: the gradient of F from that of A_c, and the gradients of u, v, w from the tiles' sums.
inline void finish_sums(const Plan& plan, int64_t block) {
    const DmscaCall& a = plan.a;
    const float tau = temperature(plan), scale = (float)a.scale;
    const int64_t start = block * Plan::block, end = start + Plan::block < plan.c ? start + Plan::block : plan.c;
    for (int64_t c = start; c < end; c++) {
        double d_u = 0, d_v = 0, d_w = 0;
        for (int64_t n = 0; n < plan.n; n++) {
            double total[backward_sums] = {};
            for (int64_t t = 0; t < plan.summed_tiles; t++) {
                const float* sums = plan.partial + (n * plan.summed_tiles + t) * backward_sums * plan.c_room + c;
                for (int k = 0; k < backward_sums; k++) total[k] += sums[k * plan.c_room];
            }
            const float value = a.channel[n * plan.c + c];
            const double d_channel = total[0] + plan.u[c] * total[1] + plan.w_row[c] * total[2];
            plan.d_context[n * plan.c_room + c] = (float)d_channel * sigmoid_slope(value, scale) / tau;
            plan.equals[n * plan.c_room + c] = (float)total[5];
            d_u += value * total[1], d_v += total[3], d_w += value * total[2] + total[4];
        }
        a.d_dff_gate_weight[c] = (float)d_u, a.d_dff_gate_weight[plan.c + c] = (float)d_v;
        a.d_aa_conv_weight[c] = (float)d_w;
    }
}

inline vec load_as(const float* from, vec) { return load(from); }
inline float load_as(const float* from, float) { return *from; }
inline void put(float* to, vec value) { store(to, value); }
inline void put(float* to, float value) { *to = value; }

// Backward of fc2 for a block of channels: its gradients, and the block's part of those of the hidden layer and log τ.
inline void fc2_backward(const Plan& plan, int64_t block) {
    const DmscaCall& a = plan.a;
    const int64_t start = block * Plan::block, end = start + Plan::block < plan.c ? start + Plan::block : plan.c;
    float* d_hidden = plan.d_hidden_part + block * plan.n * plan.hidden;
    for (int64_t i = 0; i < plan.n * plan.hidden; i++) d_hidden[i] = 0;
    double d_tau = 0;
    for (int64_t c = start; c < end; c++) {
        const float* weight = a.gce_fc2_weight + c * plan.hidden;
        float* d_weight = a.d_gce_fc2_weight + c * plan.hidden;
        double d_bias = 0;
        for (int64_t n = 0; n < plan.n; n++) d_bias += plan.d_context[n * plan.c_room + c];
        auto step = [&](int64_t j, auto number) {
            auto value = load_as(weight + j, number), d = decltype(number){};
            for (int64_t n = 0; n < plan.n; n++) {
                const float d_context = plan.d_context[n * plan.c_room + c];
                float* sums = d_hidden + n * plan.hidden + j;
                d += d_context * load_as(a.hidden_units + n * plan.hidden + j, number);
                put(sums, load_as(sums, number) + d_context * value);
            }
            put(d_weight + j, d);
        };
        int64_t j = 0;
        for (; j + lanes <= plan.hidden; j += lanes) step(j, vec{});
        for (; j < plan.hidden; j++) step(j, 0.0f);
        a.d_gce_fc2_bias[c] = (float)d_bias;
        d_tau -= d_bias * a.gce_fc2_bias[c];
    }
    plan.tau_of_bias[block] = d_tau;
}

// Backward of a hidden unit for all images: through ReLU to fc1's bias.
// F = fc2·hidden + bias, so the gradient of log τ, −Σ F·dF, follows from those of the hidden layer and of fc2's bias.
inline void hidden_backward(const Plan& plan, int64_t j) {
    double d_bias = 0, d_tau = 0;
    for (int64_t n = 0; n < plan.n; n++) {
        float total = 0;
        for (int64_t block = 0; block < plan.blocks(); block++)
            total += plan.d_hidden_part[(block * plan.n + n) * plan.hidden + j];
        const float unit = plan.a.hidden_units[n * plan.hidden + j], d = unit <= 0 ? 0 : total;  // NaN passes
        plan.d_hidden[n * plan.hidden + j] = d, d_bias += d, d_tau -= (double)total * unit;
    }
    plan.a.d_gce_fc1_bias[j] = (float)d_bias;
    plan.tau_of_unit[j] = d_tau;
}

// Backward of fc1 for a block of channels: the gradients of its weight and of the pools.
inline void fc1_backward(const Plan& plan, int64_t block) {
    const DmscaCall& a = plan.a;
    const int64_t start = block * Plan::block, count = start + Plan::block < plan.c ? Plan::block : plan.c - start;
    float nan_unless_finite = 0;
    for (int64_t n = 0; n < plan.n; n++)
        for (int64_t i = 0; i < count; i++) {
            plan.d_pooled[n * plan.c_room + start + i] = 0;
            nan_unless_finite += 0 * a.pooled[n * plan.c + start + i];
        }
    for (int64_t j = 0; j < plan.hidden; j++) {
        const float* weight = a.gce_fc1_weight + j * plan.c + start;
        float* d_weight = a.d_gce_fc1_weight + j * plan.c + start;
        for (int64_t i = 0; i < count; i++) d_weight[i] = 0;
        for (int64_t n = 0; n < plan.n; n++) {
            const float d = plan.d_hidden[n * plan.hidden + j];
            if (d == 0 && nan_unless_finite == 0) continue;  // the ReLU was inactive; 0·Inf would be NaN
            add_scaled(d_weight, d, a.pooled + n * plan.c + start, count);
            add_scaled(plan.d_pooled + n * plan.c_room + start, d, weight, count);
        }
    }
    // The pools' gradient for every pixel, and for every pixel that equals the maximum.
    for (int64_t n = 0; n < plan.n; n++)
        for (int64_t c = start; c < start + count; c++) {
            const int64_t at = n * plan.c_room + c;
            plan.to_channel_mean[at] = plan.d_pooled[at] / plan.pixels;
            plan.to_spatial_max[at] = plan.d_pooled[at] / plan.equals[at];
        }
}

}  // namespace
}  // namespace dmsca
