// The schedule table of Megatron-LM's interleaved schedules (get_schedule_table in schedules.py): micro-batches are cut
// into groups; each group runs through all chunks before the next one starts.
#pragma once
#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

class InterleaveTable {
 public:
  // At most all micro-batches are a group.
  InterleaveTable(const ScheduleRequest& request, int group);

  int size() const { return static_cast<int>(entries_.size()); }
  int group() const { return group_; }
  // The i-th pass of any rank; backward passes go through the chunks from the last to the first.
  Operation forward(int rank, int i) const;
  Operation backward(int rank, int i, OpKind kind = OpKind::backward) const;

 private:
  struct Entry {
    int micro_batch, chunk;
  };
  int ranks_, chunks_, group_;
  std::vector<Entry> entries_;
};

// The group size asked for, or Megatron-LM's default, as many as ranks.
int megatron_group(const ScheduleRequest& request);
// The group size asked for, or PyTorch's: as many groups of the same size as there are ranks' worth of micro-batches.
int torch_group(const ScheduleRequest& request);

// Megatron-LM's conditions p <= g and (m % g == 0 or m % g >= p), as a warning where they do not hold: what runs in
// spite of them may lose time. Empty where they hold, or where all micro-batches are one group (PyTorch's rule for m <
// p).
std::string group_warning(const ScheduleRequest& request, int group);

}  // namespace orrery::schedule::kinds
