// Backward of the spatial gate: from the gradient of A_s to those of D and of the weights; final sums over images.
#pragma once
#include "channel_backward.h"

namespace dmsca {
namespace {

// For an image, pads the gradient of A_s's logit and computes those of the fusion's last weight and bias, R and K.
inline void fuse_backward(const Plan& plan, int64_t n) {
    const float last = plan.a.msce_fuse_weight[plan.a.branches];
    const float* d_logit = plan.d_logit + n * plan.p_room;
    const float *rows = plan.rows + n * plan.h, *columns = plan.columns + n * plan.w_room;
    float *d_rows = plan.d_rows + n * plan.h, *d_columns = plan.d_columns + n * plan.w_room;
    float* padded = plan.d_padded + n * plan.pad_plane;
    pad(plan, d_logit, padded);
    for (int64_t x = 0; x < plan.w_room; x += lanes) store(d_columns + x, vec{});
    double d_last = 0, d_bias = 0;
    for (int64_t y = 0; y < plan.h; y++) {
        const float* row = padded + (y + plan.radius) * plan.pad_width + plan.radius;
        vec total = {}, by_column = {};
        for_vectors(plan.w, [&](int64_t x, auto full) {
            const vec d = load(row + x), column = load_lanes<full>(columns + x, plan.w - x);
            total += d, by_column += d * column;
            store(d_columns + x, load(d_columns + x) + d * rows[y]);
        });
        const float along_row = sum(by_column);
        d_bias += sum(total), d_last += along_row * rows[y];
        d_rows[y] = last * along_row * sigmoid_slope(rows[y], 1);
    }
    for (int64_t x = 0; x < plan.w; x++) d_columns[x] *= last * sigmoid_slope(columns[x], 1);
    plan.d_fuse[n * 2] = d_last, plan.d_fuse[n * 2 + 1] = d_bias;
}

// Backpropagates through a convolution along one axis: gradients of the means, of the kernel and of the bias.
inline void direction_backward(const float* d_out, const float* means, int64_t length, int64_t stride,
                               const float* weight, int64_t size, float* d_means, double* d_kernel) {
    for (int64_t i = 0; i < 2 * size + 1; i++) d_kernel[i] = 0;
    for (int64_t i = 0; i < length; i++) d_means[i] = d_means[stride + i] = 0;
    for (int64_t i = 0; i < length; i++) {
        d_kernel[2 * size] += d_out[i];
        for (int64_t plane = 0; plane < 2; plane++)
            for (int64_t j = 0; j < size; j++) {
                const int64_t at = i + j - size / 2;
                if (at < 0 || at >= length) continue;
                d_kernel[plane * size + j] += d_out[i] * means[plane * stride + at];
                d_means[plane * stride + at] += d_out[i] * weight[plane * size + j];
            }
    }
}

inline void directional_gate_backward(const Plan& plan, int64_t n) {
    const DmscaCall& a = plan.a;
    const int64_t size = a.direction_size;
    double* d_kernels = plan.d_direction + n * 2 * (2 * size + 1);
    direction_backward(plan.d_rows + n * plan.h, plan.row_means + n * 2 * plan.h, plan.h, plan.h, a.dii_conv_h_weight,
                       size, plan.d_row_means + n * 2 * plan.h, d_kernels);
    direction_backward(plan.d_columns + n * plan.w_room, plan.column_means + n * 2 * plan.w_room, plan.w, plan.w_room,
                       a.dii_conv_w_weight, size, plan.d_column_means + n * 2 * plan.w_room,
                       d_kernels + 2 * size + 1);
    for (int64_t i = 0; i < 2 * plan.h; i++) plan.d_row_means[n * 2 * plan.h + i] /= plan.w;
    for (int64_t i = 0; i < 2 * plan.w_room; i++) plan.d_column_means[n * 2 * plan.w_room + i] /= plan.h;
}

// A row of the gradients of both layers through the convolution: the flipped kernel over the logit's gradient.
inline void layers_backward(const Plan& plan, int64_t n, int64_t y) {
    const int64_t k = plan.kernel;
    const float* padded = plan.d_padded + n * plan.pad_plane;
    float* out = plan.d_layers + n * 2 * plan.p_room + y * plan.w;
    constexpr int V = 2;
    for (int64_t x = 0; x < plan.w; x += V * lanes) {
        const int vectors = plan.w_room - x > lanes ? V : 1;
        vec first[V] = {}, second[V] = {};
        for (int64_t i = 0; i < k; i++) {
            const float* row = padded + (y + i) * plan.pad_width + x;
            const float *one = plan.folded + (k - 1 - i) * k + k - 1, *two = one + k * k;
            for (int64_t j = 0; j < k; j++)
                for (int v = 0; v < vectors; v++) {
                    const vec d = load(row + j + v * lanes);
                    first[v] += d * one[-j], second[v] += d * two[-j];
                }
        }
        for (int v = 0; v < vectors; v++) {
            const int64_t at = x + v * lanes, count = plan.w - at;
            if (count >= lanes) store(out + at, first[v]), store(out + plan.p_room + at, second[v]);
            else if (count > 0)
                store_part(out + at, first[v], count), store_part(out + plan.p_room + at, second[v], count);
        }
    }
}

// A row of the gradient of the folded kernel: row i of layer `plane`, for an image.
inline void kernel_backward(const Plan& plan, int64_t n, int64_t plane, int64_t i) {
    const int64_t k = plan.kernel;
    const float* d_logit = plan.d_padded + n * plan.pad_plane + plan.radius * plan.pad_width + plan.radius;
    const float* layer = plan.padded + (n * 2 + plane) * plan.pad_plane + i * plan.pad_width;
    double* out = plan.d_folded + ((n * 2 + plane) * k + i) * k;
    constexpr int J = 8;
    for (int64_t first = 0; first < k; first += J) {
        const int columns = k - first < J ? (int)(k - first) : J;
        vec total[J] = {};
        for (int64_t y = 0; y < plan.h; y++)
            for (int64_t x = 0; x < plan.w; x += lanes) {  // beyond the map there are zeros
                const vec d = load(d_logit + y * plan.pad_width + x);
                const float* at = layer + y * plan.pad_width + x + first;
                for (int j = 0; j < columns; j++) total[j] += d * load(at + j);
            }
        for (int j = 0; j < columns; j++) out[first + j] = sum(total[j]);
    }
}

// Small gradients that are summed over images, tiles or blocks, in order.
inline void finish_weights(const Plan& plan) {
    const DmscaCall& a = plan.a;
    const int64_t k = plan.kernel, d = a.direction_size;
    auto over_images = [&](const double* values, int64_t stride) {
        double total = 0;
        for (int64_t n = 0; n < plan.n; n++) total += values[n * stride];
        return total;
    };
    const double d_bias = over_images(plan.d_fuse + 1, 2);
    *a.d_msce_fuse_bias = (float)d_bias;
    a.d_msce_fuse_weight[a.branches] = (float)over_images(plan.d_fuse, 2);
    for (int64_t branch = 0; branch < a.branches; branch++) {
        const int64_t size = a.kernel_sizes[branch], border = (k - size) / 2;
        const float share = a.msce_fuse_weight[branch];
        double d_share = d_bias * *a.msce_convs_bias[branch];
        for (int64_t plane = 0; plane < 2; plane++)
            for (int64_t y = 0; y < size; y++)
                for (int64_t x = 0; x < size; x++) {
                    const int64_t at = (plane * size + y) * size + x;
                    const double folded = over_images(
                        plan.d_folded + (plane * k + y + border) * k + x + border, 2 * k * k);
                    d_share += folded * a.msce_convs_weight[branch][at];
                    a.d_msce_convs_weight[branch][at] = (float)(share * folded);
                }
        *a.d_msce_convs_bias[branch] = (float)(share * d_bias);
        a.d_msce_fuse_weight[branch] = (float)d_share;
    }
    const int64_t stride = 2 * (2 * d + 1);
    for (int64_t i = 0; i < 2 * d; i++) {
        a.d_dii_conv_h_weight[i] = (float)over_images(plan.d_direction + i, stride);
        a.d_dii_conv_w_weight[i] = (float)over_images(plan.d_direction + 2 * d + 1 + i, stride);
    }
    *a.d_dii_conv_h_bias = (float)over_images(plan.d_direction + 2 * d, stride);
    *a.d_dii_conv_w_bias = (float)over_images(plan.d_direction + 4 * d + 1, stride);
    double gate_bias = 0, activation_bias = 0, tau = 0;
    for (int64_t i = 0; i < plan.n * plan.tiles.count; i++)
        gate_bias += plan.tile_bias[2 * i], activation_bias += plan.tile_bias[2 * i + 1];
    for (int64_t block = 0; block < plan.blocks(); block++) tau += plan.tau_of_bias[block];
    for (int64_t j = 0; j < plan.hidden; j++) tau += plan.tau_of_unit[j];
    const float log_tau = *a.tca_log_temperature;
    const bool clamped = log_tau > max_log_temperature || log_tau < -max_log_temperature;
    *a.d_dff_gate_bias = (float)gate_bias, *a.d_aa_conv_bias = (float)activation_bias;
    *a.d_tca_log_temperature = clamped ? 0 : (float)tau;
}

}  // namespace
}  // namespace dmsca
