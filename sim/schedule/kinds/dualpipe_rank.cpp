#include "schedule/kinds/dualpipe_rank.hpp"

namespace orrery::schedule::kinds {
namespace {

class Writer {
 public:
  Writer(std::vector<Operation>& order, Stream near, Stream far) : order_(order), streams_{near, far} {}

  void f(int s) { order_.push_back(next_forward(s)); }
  void b(int s) { order_.push_back(next_backward(s)); }
  void i(int s) {
    Operation operation = next_backward(s);
    operation.kind = OpKind::input_gradient;
    order_.push_back(operation);
    operation.kind = OpKind::weight_gradient;
    late_.push_back(operation);
  }
  void w() { order_.push_back(late_[done_++]); }
  void fb(int forward_stream, int backward_stream) {
    const Operation half = next_forward(forward_stream);
    order_.push_back(overlapped(half, next_backward(backward_stream)));
  }

 private:
  Operation next_forward(int s) { return forward(streams_[s].stage, forwards_[s]++, streams_[s].pipe); }
  Operation next_backward(int s) { return backward(streams_[s].stage, backwards_[s]++, streams_[s].pipe); }

  std::vector<Operation>& order_;
  Stream streams_[2];
  int forwards_[2] = {0, 0}, backwards_[2] = {0, 0};
  std::vector<Operation> late_;  // weight gradients put off, first in first out
  std::size_t done_ = 0;
};

// Step 6: full backwards turn into split ones half way.
void drain(Writer& rank, int depth) {
  bool split = false;
  const auto back = [&](int s) { split ? rank.i(s) : rank.b(s); };
  for (int n = 0; n <= depth; ++n) {
    const bool turn = n == (depth + 1) / 2;
    if (turn && depth % 2 == 1) split = true;
    back(1);
    if (turn && depth % 2 == 0) split = true;
    back(0);
  }
}

}  // namespace

void append_dualpipe(std::vector<Operation>& order, int ranks, int depth, int micro_batches, Stream near, Stream far) {
  order.reserve(order.size() + 4 * at(micro_batches) + at(ranks));
  Writer rank(order, near, far);
  const int rest = ranks - 1 - depth;
  for (int n = 0; n < 2 * rest; ++n) rank.f(0);
  for (int n = 0; n <= depth; ++n) rank.f(0), rank.f(1);
  for (int n = 0; n < rest; ++n) rank.i(1), rank.w(), rank.f(1);
  for (int n = 0; n < micro_batches - 2 * ranks + depth + 1; ++n) {
    if (n == 0 && rest == 0)
      rank.f(0), rank.b(1);  // where both streams turn, nothing is there yet to overlap with
    else
      rank.fb(0, 1);
    rank.fb(1, 0);
  }
  for (int n = 0; n < rest; ++n) rank.b(1), rank.fb(1, 0);
  drain(rank, depth);
  for (int n = 0; n < rest; ++n) rank.w(), rank.i(0);
  for (int n = 0; n <= depth; ++n) rank.w();
}

}  // namespace orrery::schedule::kinds
