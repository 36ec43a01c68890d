// The passes over a feature map in NCHW: a few channel rows at a time, a vector of neighbouring pixels in each.
#pragma once
#include "map.h"

namespace dmsca {
namespace {

template <class S>
struct Nchw {
    template <int R>
    static void fetch_next_rows(const S* at, int64_t pixels) {
#pragma GCC unroll 4
        for (int r = 0; r < R; r++) fetch(at + (R + r) * pixels);
    }

    static constexpr int64_t ahead = 4096 / sizeof(S);  // the next page

    // Adds the sum of a group of channels to the total: fewer successive roundings than adding each channel.
    static void add(float* to, vec value) { store(to, load(to) + value); }

    // Sums and maxima over channels and over the tile's pixels, d_v and d_w.
    static void reduce(const Image<const S>& x, int64_t first, int64_t count, const ChannelRows& row,
                       const PixelSums& out, float* sums, float* maxima) {
        for (int64_t p = 0; p < count; p += lanes) {
            store(out.mean + p, vec{}), store(out.d_v + p, vec{}), store(out.d_w + p, vec{});
            store(out.max + p, broadcast(-infinity));
        }
        for_groups<4>(x.channels, [&](int64_t c, auto rows) {
            constexpr int R = decltype(rows)::value;
            const S* from = x.data + c * x.pixels + first;
            vec total[4] = {}, most[4];
            for (int r = 0; r < 4; r++) most[r] = broadcast(-infinity);
            for_vectors(count, [&](int64_t p, auto full) {
                vec mean = {}, max = load(out.max + p), d_v = {}, d_w = {};
                fetch_next_rows<R>(from + p, x.pixels);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) {
                    const S* at = from + r * x.pixels + p;
                    vec value = read<full>(x, at, count - p, 0.0f);
                    vec low = full ? value : read<full>(x, at, count - p, -infinity);
                    total[r] += value, most[r] = larger(low, most[r]);
                    mean += value, max = larger(low, max);
                    d_v += value * row.v[c + r], d_w += value * row.w[c + r];
                }
                add(out.mean + p, mean), store(out.max + p, max), add(out.d_v + p, d_v), add(out.d_w + p, d_w);
            });
            dmsca::sums(total, R, sums + c), dmsca::maxima(most, R, maxima + c);
        });
    }

    // e_u and e_w.
    static void dots(const Image<const S>& x, int64_t first, int64_t count, const ChannelRows& row, float* e_u,
                     float* e_w) {
        for (int64_t p = 0; p < count; p += lanes) store(e_u + p, vec{}), store(e_w + p, vec{});
        for_groups<4>(x.channels, [&](int64_t c, auto rows) {
            constexpr int R = decltype(rows)::value;
            const S* from = x.data + c * x.pixels + first;
            for_vectors(count, [&](int64_t p, auto full) {
                vec u = {}, w = {};
                fetch_next_rows<R>(from + p, x.pixels);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) {
                    vec value = read<full>(x, from + r * x.pixels + p, count - p, 0.0f);
                    u += value * row.ua[c + r], w += value * row.wa[c + r];
                }
                add(e_u + p, u), add(e_w + p, w);
            });
        });
    }

    // Y = X ⊙ (P ⊙ A_c + Q).
    static void scale(const Image<const S>& x, const Image<S>& y, const Piece& piece, const ChannelRows& row,
                      const float* by_channel, const float* by_pixel) {
        for (int64_t c = piece.channel; c < piece.channel + piece.channels; c++) {
            const int64_t start = c * x.pixels + piece.first;
            for_vectors(piece.count, [&](int64_t p, auto full) {
                const int64_t at = start + p, count = piece.count - p;
                fetch(x.data + at + ahead), fetch_to_write(y.data + at + ahead);
                vec value = read<full>(x, x.data + at, count, 0.0f);
                write<full>(y.data + at, value * (load(by_channel + p) * row.a[c] + load(by_pixel + p)), count);
            });
        }
    }

    // All dot products over channels that backward needs.
    static void dots_backward(const Image<const S>& x, const Image<const S>& dy, int64_t first, int64_t count,
                              const ChannelRows& row, const float* max, const PixelDots& out) {
        for (float* each : {out.e_u, out.e_w, out.d_v, out.d_w, out.by_channel, out.by_pixel, out.equals})
            for (int64_t p = 0; p < count; p += lanes) store(each + p, vec{});
        for_groups<4>(x.channels, [&](int64_t c, auto rows) {
            constexpr int R = decltype(rows)::value;
            const int64_t start = c * x.pixels + first;
            for_vectors(count, [&](int64_t p, auto full) {
                vec e_u = {}, e_w = {}, d_v = {}, d_w = {}, by_c = {}, by_p = {}, equals = {}, most = load(max + p);
                fetch_next_rows<R>(x.data + start + p, x.pixels), fetch_next_rows<R>(dy.data + start + p, x.pixels);
#pragma GCC unroll 4
                for (int r = 0; r < R; r++) {
                    const int64_t at = start + r * x.pixels + p;
                    vec value = read<full>(x, x.data + at, count - p, 0.0f);
                    vec product = value * read<full>(dy, dy.data + at, count - p, 0.0f);
                    e_u += value * row.ua[c + r], e_w += value * row.wa[c + r];
                    d_v += value * row.v[c + r], d_w += value * row.w[c + r];
                    by_c += product * row.a[c + r], by_p += product;
                    equals += value == most ? broadcast(1.0f) : vec{};
                }
                add(out.e_u + p, e_u), add(out.e_w + p, e_w), add(out.d_v + p, d_v), add(out.d_w + p, d_w);
                add(out.by_channel + p, by_c), add(out.by_pixel + p, by_p), add(out.equals + p, equals);
            });
        });
    }

    // All sums over the tile's pixels that backward needs, backward_sums rows of `stride` channels.
    static void sums_backward(const Image<const S>& x, const Image<const S>& dy, int64_t first, int64_t count,
                              const ChannelRows& row, const PixelRows& pixel, float* sums, int64_t stride) {
        for_groups<2>(x.channels, [&](int64_t c, auto rows) {
            constexpr int R = decltype(rows)::value;
            const int64_t start = c * x.pixels + first;
            vec total[2][8] = {};
            for_vectors(count, [&](int64_t p, auto full) {
                vec by_c = load(pixel.p + p), e_u = load(pixel.e_u + p), e_w = load(pixel.e_w + p);
                vec d_v = load(pixel.d_v + p), d_w = load(pixel.d_w + p);
#pragma GCC unroll 2
                for (int r = 0; r < R; r++) {
                    const int64_t at = start + r * x.pixels + p;
                    vec value = read<full>(x, x.data + at, count - p, 0.0f);
                    total[r][0] += value * read<full>(dy, dy.data + at, count - p, 0.0f) * by_c;
                    total[r][1] += value * e_u, total[r][2] += value * e_w;
                    total[r][3] += value * d_v, total[r][4] += value * d_w;
                    ivec equal = value == broadcast(row.spatial_max[c + r]);
                    if constexpr (!full) equal &= first_lanes(count - p);
                    total[r][5] += equal ? broadcast(1.0f) : vec{};
                }
            });
            const vec last[4] = {total[0][4], total[0][5], total[1][4], total[1][5]};
            float rest[4];
            for (int r = 0; r < R; r++) dmsca::sums(total[r], 4, sums + c + r, stride);
            dmsca::sums(last, 4, rest);
            for (int r = 0; r < R; r++)
                sums[4 * stride + c + r] = rest[2 * r], sums[5 * stride + c + r] = rest[2 * r + 1];
        });
    }

    static void input_gradient(const Image<const S>& x, const Image<const S>& dy, const Image<S>& dx,
                               const Piece& piece, const ChannelRows& row, const PixelRows& pixel) {
        for (int64_t c = piece.channel; c < piece.channel + piece.channels; c++) {
            const int64_t start = c * x.pixels + piece.first;
            for_vectors(piece.count, [&](int64_t p, auto full) {
                const int64_t at = start + p, count = piece.count - p;
                fetch(x.data + at + ahead), fetch(dy.data + at + ahead), fetch_to_write(dx.data + at + ahead);
                vec value = read<full>(x, x.data + at, count, 0.0f);
                vec d = read<full>(dy, dy.data + at, count, 0.0f) *
                        (load(pixel.p + p) * row.a[c] + load(pixel.q + p));
                d += load(pixel.e_u + p) * row.ua[c] + load(pixel.e_w + p) * row.wa[c];
                d += load(pixel.d_v + p) * row.v[c] + load(pixel.d_w + p) * row.w[c];
                d += load(pixel.to_all + p) + row.to_all[c];
                d += value == load(pixel.max + p) ? load(pixel.to_max + p) : vec{};
                d += value == broadcast(row.spatial_max[c]) ? broadcast(row.to_max[c]) : vec{};
                write<full>(dx.data + at, d, count);
            });
        }
    }

    // Reads one number, for exact maxima in the presence of NaN.
    static float number(const Image<const S>& x, int64_t c, int64_t p) {
        return load_part(x.data + c * x.pixels + p, 1, x.end, 0.0f)[0];
    }
};

}  // namespace
}  // namespace dmsca
