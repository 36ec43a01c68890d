// The plain C interface: one structure of sizes and pointers. library.py declares the same fields in the same order.
#pragma once
#include <cstdint>

extern "C" {

struct DmscaCall {
    int64_t batch, channels, height, width, hidden;  // N, C, H, W, h
    int64_t branches, direction_size;                // number of kernel sizes, d
    int64_t channels_last, is_bf16, threads;
    double scale;               // s
    const void *x, *dy;         // (N, C, H, W), dense, NCHW or channels_last; dY in backward only
    void* out;                  // Y, or dX
    float* scratch;             // dmsca_scratch(call, backward) floats
    const int64_t* kernel_sizes;
    // ForwardStats
    float *pooled, *spatial_max, *hidden_units, *channel, *layers;
    // Parameters
    const float *gce_fc1_weight, *gce_fc1_bias, *gce_fc2_weight, *gce_fc2_bias, *tca_log_temperature;
    const float *const *msce_convs_weight, *const *msce_convs_bias;
    const float *msce_fuse_weight, *msce_fuse_bias, *dii_conv_h_weight, *dii_conv_h_bias, *dii_conv_w_weight,
        *dii_conv_w_bias, *dff_gate_weight, *dff_gate_bias, *aa_conv_weight, *aa_conv_bias;
    // Their gradients, in backward only
    float *d_gce_fc1_weight, *d_gce_fc1_bias, *d_gce_fc2_weight, *d_gce_fc2_bias, *d_tca_log_temperature;
    float *const *d_msce_convs_weight, *const *d_msce_convs_bias;
    float *d_msce_fuse_weight, *d_msce_fuse_bias, *d_dii_conv_h_weight, *d_dii_conv_h_bias, *d_dii_conv_w_weight,
        *d_dii_conv_w_bias, *d_dff_gate_weight, *d_dff_gate_bias, *d_aa_conv_weight, *d_aa_conv_bias;
};

}
