// The segments of fused blocks, summed by category.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "orrery/engine/account.hpp"
#include "orrery/program/program.hpp"

namespace orrery::engine {

class SegmentSums {
 public:
  explicit SegmentSums(const program::Program& program) : program_(program), before_(program.templates.size()) {
    whole_.reserve(before_.size());
    for (program::TemplateId t = 0; t < before_.size(); ++t)
      whole_.push_back(sum(segments_of(t), [](const Breakdown&) {}));
  }

  // Of a block's first `time` ps.
  Breakdown until(program::TemplateId of, std::int64_t time) {
    const std::span<const program::Segment> segments = segments_of(of);
    if (time == 0 || segments.empty()) return {};
    if (time == segments.back().end.value) return whole_[of];
    std::vector<Breakdown>& before = before_[of];
    if (before.empty()) sum(segments, [&](const Breakdown& sum) { before.push_back(sum); });
    const auto within = std::ranges::lower_bound(segments, Time{time}, {}, &program::Segment::end);
    const auto i = static_cast<std::size_t>(within - segments.begin());
    Breakdown sum = before[i];
    sum[static_cast<std::size_t>(within->category)] += time - (i == 0 ? 0 : segments[i - 1].end.value);
    return sum;
  }

 private:
  std::span<const program::Segment> segments_of(program::TemplateId of) const {
    const program::TaskTemplate& t = program_.templates[of];
    return std::span(program_.segments).subspan(t.segments.first, t.segments.count);
  }
  // `before` is told what lies before each.
  template <class Before>
  static Breakdown sum(std::span<const program::Segment> segments, Before before) {
    Breakdown sum{};
    Time at{};
    for (const program::Segment& s : segments) {
      before(sum);
      sum[static_cast<std::size_t>(s.category)] += (s.end - at).value;
      at = s.end;
    }
    return sum;
  }

  const program::Program& program_;
  std::vector<Breakdown> whole_;                // [template]
  std::vector<std::vector<Breakdown>> before_;  // [template][segment] all before it; made when first asked for
};

}  // namespace orrery::engine
