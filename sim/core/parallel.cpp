#include "core/parallel.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <thread>

namespace orrery {

unsigned processors() {
  return std::max(std::thread::hardware_concurrency(), 1U);
}

void for_each(std::size_t count, unsigned threads, const std::function<void(std::size_t, std::size_t)>& act) {
  if (threads <= 1 || count <= 1) {
    for (std::size_t i = 0; i < count; ++i) act(i, 0);
    return;
  }
  namespace tbb = oneapi::tbb;
  // TBB takes no more threads than processors unless it is told to.
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, std::max(threads, processors()));
  tbb::task_arena arena(static_cast<int>(std::min<std::size_t>(threads, count)));
  const auto one = [&](std::size_t i) {
    act(i, static_cast<std::size_t>(tbb::this_task_arena::current_thread_index()));
  };
  arena.execute([&] { tbb::parallel_for(std::size_t{0}, count, one, tbb::simple_partitioner()); });
}

}  // namespace orrery
