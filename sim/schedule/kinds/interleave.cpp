#include "schedule/kinds/interleave.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace orrery::schedule::kinds {

InterleaveTable::InterleaveTable(const ScheduleRequest& request)
    : ranks_(request.ranks),
      chunks_(request.chunks),
      group_(std::min(request.group > 0 ? request.group : request.ranks, request.micro_batches)) {
  entries_.reserve(at(request.micro_batches) * at(chunks_));
  for (int first = 0; first < request.micro_batches; first += std::min(group_, request.micro_batches - first)) {
    const int end = first + std::min(group_, request.micro_batches - first);
    for (int chunk = 0; chunk < chunks_; ++chunk) {
      for (int k = first; k < end; ++k) entries_.push_back({k, chunk});
    }
  }
}

Operation InterleaveTable::forward(int rank, int i) const {
  const Entry& entry = entries_[at(i)];
  return kinds::forward(entry.chunk * ranks_ + rank, entry.micro_batch);
}

Operation InterleaveTable::backward(int rank, int i, OpKind kind) const {
  const Entry& entry = entries_[at(i)];
  Operation operation = kinds::backward((chunks_ - 1 - entry.chunk) * ranks_ + rank, entry.micro_batch);
  operation.kind = kind;
  return operation;
}

std::string group_warning(const ScheduleRequest& request, int group) {
  const int p = request.ranks, m = request.micro_batches, rest = m % group;
  if (group == m || (p <= group && (rest == 0 || rest >= p))) return {};
  const std::string what = group < p ? fmt::format("groups of {}", group) : fmt::format("a last group of {}", rest);
  return fmt::format("{} micro-batches on {} ranks, which Megatron-LM refuses", what, p);
}

}  // namespace orrery::schedule::kinds
