// Threads that share the items of a loop. An item is computed the same way in every thread, so the same input gives the
// same bits for any number of threads.
#pragma once
#include <omp.h>

#include <cstdint>

namespace dmsca {
namespace {

struct Team {
    int64_t rank, size;

    void barrier() const {
        if (size > 1) {
#pragma omp barrier
        }
    }

    // Calls `work` for this thread's contiguous part of [0, items), in order.
    template <class Work>
    void each(int64_t items, Work work) const {
        for (int64_t i = rank * items / size; i < (rank + 1) * items / size; i++) work(i);
    }

    // The same in reverse: starts with the items that the thread accessed last, which are still in its cache.
    template <class Work>
    void each_backwards(int64_t items, Work work) const {
        for (int64_t i = (rank + 1) * items / size; i-- > rank * items / size;) work(i);
    }
};

template <class Body>
void run_team(int64_t threads, Body body) {
    if (threads <= 1) {  // no parallel region: after a fork, it would wait for threads that do not exist
        body(Team{0, 1});
        return;
    }
#pragma omp parallel num_threads((int)threads)
    body(Team{omp_get_thread_num(), omp_get_num_threads()});
}

}  // namespace
}  // namespace dmsca
