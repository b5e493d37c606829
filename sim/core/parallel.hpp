// Work on several threads.
#pragma once
#include <cstddef>
#include <functional>

namespace orrery {

// act(i, thread) for i from 0 to count − 1, each once, on at most so many threads (0 counts as 1): whoever is free
// takes the next. `thread` is below that number, and no two acts have the same at once. Returns when all are done; the
// first exception is passed on, and what has not begun by then is left out. Acts must not depend on each other, so that
// the same comes out whatever their order.
void for_each(std::size_t count, unsigned threads, const std::function<void(std::size_t, std::size_t)>& act);

// As many as the machine runs at once, at least 1.
unsigned processors();

}  // namespace orrery
