// Rows are independent of each other: evaluated by several threads, results stand in row order.
#pragma once
#include <atomic>
#include <cstddef>

#include "core/parallel.hpp"
#include "orrery/validation/validate.hpp"

namespace orrery::validation {

inline unsigned threads_of(const Options& options) {
  return options.threads > 0 ? static_cast<unsigned>(options.threads) : processors();
}

template <class Work>
void for_each_row(std::size_t rows, const Options& options, const Work& work) {
  std::atomic<std::size_t> done{0};
  for_each(rows, threads_of(options), [&](std::size_t row, std::size_t) {
    work(row);
    const std::size_t so_far = ++done;
    if (options.progress) options.progress(so_far, rows);
  });
}

}  // namespace orrery::validation
