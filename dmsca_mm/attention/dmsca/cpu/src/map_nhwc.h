// The passes over a feature map in channels_last: a few pixels at a time, a vector of neighbouring channels in each.
#pragma once
#include "map.h"

namespace dmsca {
namespace {

template <class S>
struct Nhwc {
    static void reduce(const Image<const S>& x, int64_t first, int64_t count, const ChannelRows& row,
                       const PixelSums& out, float* sums, float* maxima) {
        for (int64_t c = 0; c < x.channels; c += lanes) store(sums + c, vec{}), store(maxima + c, broadcast(-infinity));
        for_groups<4>(count, [&](int64_t p, auto pixels) {
            constexpr int R = decltype(pixels)::value;
            const S* from = x.data + (first + p) * x.channels;
            vec mean[4] = {}, max[4], d_v[4] = {}, d_w[4] = {};
            for (int r = 0; r < 4; r++) max[r] = broadcast(-infinity);
            for_vectors(x.channels, [&](int64_t c, auto full) {
                vec total = load(sums + c), most = load(maxima + c), v = load(row.v + c), w = load(row.w + c);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) {
                    const S* at = from + r * x.channels + c;
                    fetch(at + R * x.channels);
                    vec value = read<full>(x, at, x.channels - c, 0.0f);
                    vec low = full ? value : read<full>(x, at, x.channels - c, -infinity);
                    total += value, most = larger(low, most);
                    mean[r] += value, max[r] = larger(low, max[r]), d_v[r] += value * v, d_w[r] += value * w;
                }
                store(sums + c, total), store(maxima + c, most);
            });
            dmsca::sums(mean, R, out.mean + p), dmsca::maxima(max, R, out.max + p);
            dmsca::sums(d_v, R, out.d_v + p), dmsca::sums(d_w, R, out.d_w + p);
        });
    }

    static void dots(const Image<const S>& x, int64_t first, int64_t count, const ChannelRows& row, float* e_u,
                     float* e_w) {
        for_groups<4>(count, [&](int64_t p, auto pixels) {
            constexpr int R = decltype(pixels)::value;
            const S* from = x.data + (first + p) * x.channels;
            vec u[4] = {}, w[4] = {};
            for_vectors(x.channels, [&](int64_t c, auto full) {
                vec ua = load(row.ua + c), wa = load(row.wa + c);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) {
                    fetch(from + (R + r) * x.channels + c);
                    vec value = read<full>(x, from + r * x.channels + c, x.channels - c, 0.0f);
                    u[r] += value * ua, w[r] += value * wa;
                }
            });
            dmsca::sums(u, R, e_u + p), dmsca::sums(w, R, e_w + p);
        });
    }

    static void scale(const Image<const S>& x, const Image<S>& y, const Piece& piece, const ChannelRows& row,
                      const float* by_channel, const float* by_pixel) {
        for_groups<4>(piece.count, [&](int64_t p, auto pixels) {
            constexpr int R = decltype(pixels)::value;
            const int64_t start = (piece.first + p) * x.channels;
            for_vectors(x.channels, [&](int64_t c, auto full) {
                vec a = load(row.a + c);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) {
                    const int64_t at = start + r * x.channels + c;
                    fetch(x.data + at + R * x.channels), fetch_to_write(y.data + at + R * x.channels);
                    vec value = read<full>(x, x.data + at, x.channels - c, 0.0f);
                    write<full>(y.data + at, value * (by_channel[p + r] * a + by_pixel[p + r]), x.channels - c);
                }
            });
        });
    }

    static void dots_backward(const Image<const S>& x, const Image<const S>& dy, int64_t first, int64_t count,
                              const ChannelRows& row, const float* max, const PixelDots& out) {
        for_groups<2>(count, [&](int64_t p, auto pixels) {
            constexpr int R = decltype(pixels)::value;
            const int64_t start = (first + p) * x.channels;
            vec dots[R][4] = {}, rest[R][4] = {};
            for_vectors(x.channels, [&](int64_t c, auto full) {
                vec a = load(row.a + c), ua = load(row.ua + c), wa = load(row.wa + c);
                vec v = load(row.v + c), w = load(row.w + c);
#pragma GCC unroll 2
                for (int r = 0; r < R; r++) {
                    const int64_t at = start + r * x.channels + c;
                    vec value = read<full>(x, x.data + at, x.channels - c, 0.0f);
                    fetch(x.data + at + R * x.channels), fetch(dy.data + at + R * x.channels);
                    vec product = value * read<full>(dy, dy.data + at, x.channels - c, 0.0f);
                    dots[r][0] += value * ua, dots[r][1] += value * wa;
                    dots[r][2] += value * v, dots[r][3] += value * w;
                    rest[r][0] += product * a, rest[r][1] += product;
                    ivec equal = value == broadcast(max[p + r]);
                    if constexpr (!full) equal &= first_lanes(x.channels - c);
                    rest[r][2] += equal ? broadcast(1.0f) : vec{};
                }
            });
            for (int r = 0; r < R; r++) {
                float found[8];
                dmsca::sums(dots[r], 4, found), dmsca::sums(rest[r], 4, found + 4);
                out.e_u[p + r] = found[0], out.e_w[p + r] = found[1], out.d_v[p + r] = found[2];
                out.d_w[p + r] = found[3], out.by_channel[p + r] = found[4], out.by_pixel[p + r] = found[5];
                out.equals[p + r] = found[6];
            }
        });
    }

    static void sums_backward(const Image<const S>& x, const Image<const S>& dy, int64_t first, int64_t count,
                              const ChannelRows& row, const PixelRows& pixel, float* sums, int64_t stride) {
        for (int k = 0; k < backward_sums; k++)
            for (int64_t c = 0; c < x.channels; c += lanes) store(sums + k * stride + c, vec{});
        for_groups<4>(count, [&](int64_t p, auto pixels) {
            constexpr int R = decltype(pixels)::value;
            const int64_t start = (first + p) * x.channels;
            for_vectors(x.channels, [&](int64_t c, auto full) {
                vec total[backward_sums], max = load(row.spatial_max + c);
                for (int k = 0; k < backward_sums; k++) total[k] = load(sums + k * stride + c);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) {
                    const int64_t at = start + r * x.channels + c, i = p + r;
                    vec value = read<full>(x, x.data + at, x.channels - c, 0.0f);
                    total[0] += value * read<full>(dy, dy.data + at, x.channels - c, 0.0f) * pixel.p[i];
                    total[1] += value * pixel.e_u[i], total[2] += value * pixel.e_w[i];
                    total[3] += value * pixel.d_v[i], total[4] += value * pixel.d_w[i];
                    total[5] += value == max ? broadcast(1.0f) : vec{};
                }
                for (int k = 0; k < backward_sums; k++) store(sums + k * stride + c, total[k]);
            });
        });
    }

    static void input_gradient(const Image<const S>& x, const Image<const S>& dy, const Image<S>& dx,
                               const Piece& piece, const ChannelRows& row, const PixelRows& pixel) {
        for_groups<4>(piece.count, [&](int64_t p, auto pixels) {
            constexpr int R = decltype(pixels)::value;
            const int64_t start = (piece.first + p) * x.channels;
            for_vectors(x.channels, [&](int64_t c, auto full) {
                vec a = load(row.a + c), ua = load(row.ua + c), wa = load(row.wa + c), v = load(row.v + c);
                vec w = load(row.w + c), most = load(row.spatial_max + c), to_max = load(row.to_max + c);
                vec to_all = load(row.to_all + c);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) {
                    const int64_t at = start + r * x.channels + c, i = p + r;
                    vec value = read<full>(x, x.data + at, x.channels - c, 0.0f);
                    fetch(x.data + at + R * x.channels), fetch(dy.data + at + R * x.channels);
                    fetch_to_write(dx.data + at + R * x.channels);
                    vec d = read<full>(dy, dy.data + at, x.channels - c, 0.0f) * (pixel.p[i] * a + pixel.q[i]);
                    d += pixel.e_u[i] * ua + pixel.e_w[i] * wa + pixel.d_v[i] * v + pixel.d_w[i] * w;
                    d += to_all + pixel.to_all[i];
                    d += value == broadcast(pixel.max[i]) ? broadcast(pixel.to_max[i]) : vec{};
                    d += value == most ? to_max : vec{};
                    write<full>(dx.data + at, d, x.channels - c);
                }
            });
        });
    }

    static float number(const Image<const S>& x, int64_t c, int64_t p) {
        return load_part(x.data + p * x.channels + c, 1, x.end, 0.0f)[0];
    }
};

}  // namespace
}  // namespace dmsca
