// Rows are independent of each other: evaluated by several threads, results stand in row order.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "orrery/validation/validate.hpp"

namespace orrery::validation {

inline std::size_t threads_of(const Options& options) {
  return options.threads > 0 ? static_cast<std::size_t>(options.threads)
                             : std::max(std::thread::hardware_concurrency(), 1u);
}

template <class Work>
void for_each_row(std::size_t rows, const Options& options, const Work& work) {
  const std::size_t most = threads_of(options);
  std::atomic<std::size_t> next{0}, done{0};
  const auto run = [&] {
    for (std::size_t row = next++; row < rows; row = next++) {
      work(row);
      ++done;
      if (options.progress) options.progress(done, rows);
    }
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < most && i < rows; ++i) others.emplace_back(run);
  run();
  for (std::thread& other : others) other.join();
}

}  // namespace orrery::validation
