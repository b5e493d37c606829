// Rows for the slices of a device, such that no viewer takes two of one row to overlap.
#include <algorithm>
#include <tuple>

#include "trace_slices.hpp"

namespace orrery::report {
namespace {

// Interval colouring: each slice, by start, goes to the first row that is free. Lanes are in order but for messages,
// several of which may be under way; two that overlap in part on one thread would be dropped by viewers.
void assign_rows(DeviceSlices& result) {
  const auto key = [](const Slice& s) { return std::make_tuple(s.track, s.start, s.end, s.task, s.operation, s.part); };
  std::sort(result.slices.begin(), result.slices.end(),
            [&](const Slice& a, const Slice& b) { return key(a) < key(b); });
  std::vector<std::int64_t> free_at;
  for (std::size_t i = 0; i < result.slices.size(); ++i) {
    Slice& slice = result.slices[i];
    if (i == 0 || slice.track != result.slices[i - 1].track) free_at.clear();
    const auto row =
        std::find_if(free_at.begin(), free_at.end(), [&](std::int64_t free) { return free <= slice.start; });
    slice.row = static_cast<std::uint32_t>(row - free_at.begin());
    if (row == free_at.end()) free_at.push_back(0);
    free_at[slice.row] = slice.end;
    std::uint32_t& rows = result.rows[slice.track];
    rows = std::max(rows, slice.row + 1);
  }
}

// Viewers add ts and dur as doubles of microseconds, speedscope after taking the first ts of the thread off; a sum that
// rounds up past the start of the next slice makes the two overlap. Such a slice is written a nanosecond shorter.
struct Sums {
  double plain, shifted;
};
Sums sums(std::int64_t start, std::int64_t length, std::int64_t first) {
  const double ts = static_cast<double>(start) / 1000, dur = static_cast<double>(length) / 1000;
  return {ts + dur, ts - static_cast<double>(first) / 1000 + dur};
}
void shorten(Slice& slice, std::int64_t first, const Sums& limit) {
  const auto late = [&](const Sums& s) { return s.plain > limit.plain || s.shifted > limit.shifted; };
  while (slice.end > slice.start && late(sums(slice.start, slice.end - slice.start, first))) --slice.end;
}

// Slices stand by track and start, so the first of a row has its first ts.
void shorten_all(std::vector<Slice>& slices) {
  std::vector<std::int64_t> first_of_row;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    if (i == 0 || slices[i].track != slices[i - 1].track) first_of_row.clear();
    if (slices[i].row == first_of_row.size()) first_of_row.push_back(slices[i].start);
    const std::int64_t first = first_of_row[slices[i].row];
    shorten(slices[i], first, sums(slices[i].end, 0, first));
  }
}

}  // namespace

void lay_out(DeviceSlices& slices) {
  assign_rows(slices);
  shorten_all(slices.slices);
}

}  // namespace orrery::report
