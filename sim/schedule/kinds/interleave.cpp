#include "schedule/kinds/interleave.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace orrery::schedule::kinds {

InterleaveTable::InterleaveTable(const ScheduleRequest& request, int group)
    : ranks_(request.ranks), chunks_(request.chunks), group_(std::min(group, request.micro_batches)) {
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

int megatron_group(const ScheduleRequest& request) {
  return request.group > 0 ? request.group : request.ranks;
}

// rounds = max(1, m div p), g = m / rounds where that divides (_get_schedule_ops of ScheduleInterleaved1F1B).
int torch_group(const ScheduleRequest& request) {
  const int rounds = std::max(1, request.micro_batches / request.ranks);
  if (request.group > 0 || request.micro_batches % rounds != 0) return megatron_group(request);
  return request.micro_batches / rounds;
}

std::string group_warning(const ScheduleRequest& request, int group) {
  const int p = request.ranks, m = request.micro_batches;
  const auto allowed = [&](int g) { return p <= g && (m % g == 0 || m % g >= p); };
  if (group == m || allowed(group)) return {};
  const std::string what =
      group < p ? fmt::format("groups of {}", group) : fmt::format("a last group of {}", m % group);
  int next = std::min(p, m);
  while (next < m && !allowed(next)) ++next;
  return fmt::format("{} micro-batches on {} ranks, which Megatron-LM refuses (a group size of {} is sound)", what, p,
                     next);
}

}  // namespace orrery::schedule::kinds
