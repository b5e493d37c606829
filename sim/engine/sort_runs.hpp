// Sorts what comes in a few interleaved runs, as the events of a device do: each lane is in the order of time but for
// what happens at one instant. A patience sort, so the first run holds nearly all and is copied once.
#pragma once
#include <algorithm>
#include <iterator>
#include <vector>

namespace orrery::engine {

// `before` is a strict weak order in which only equal items are equivalent: which of them comes first is not said.
template <class T, class Before>
void sort_runs(std::vector<T>& items, const Before& before) {
  constexpr std::size_t kMostRuns = 16;
  std::vector<T> rest;
  std::vector<std::vector<T>> runs;
  std::size_t kept = 0;  // the first run stays where it is
  for (const T& item : items) {
    if (kept == 0 || !before(item, items[kept - 1])) {
      items[kept++] = item;
      continue;
    }
    const auto run = std::find_if(runs.begin(), runs.end(), [&](const auto& r) { return !before(item, r.back()); });
    if (run != runs.end()) {
      run->push_back(item);
    } else if (runs.size() < kMostRuns) {
      runs.push_back({item});
    } else {
      rest.push_back(item);
    }
  }
  if (kept == items.size()) return;
  items.resize(kept);
  std::sort(rest.begin(), rest.end(), before);
  std::vector<T> merged;
  for (; !runs.empty(); runs.pop_back()) {  // the short ones first
    merged.clear();
    std::merge(runs.back().begin(), runs.back().end(), rest.begin(), rest.end(), std::back_inserter(merged), before);
    rest.swap(merged);
  }
  items.insert(items.end(), rest.begin(), rest.end());
  std::inplace_merge(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(kept), items.end(), before);
}

}  // namespace orrery::engine
