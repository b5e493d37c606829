// Reading schedules in PyTorch's notation. Writing is in notation.cpp.
#include "orrery/schedule/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/read_file.hpp"
#include "orrery/schedule/validate.hpp"
#include "schedule/replay_state.hpp"

namespace orrery::schedule {
namespace {

constexpr std::size_t kMostMistakes = 20;
constexpr std::size_t kLongestShownLine = 160;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '"';
}

// One cell, read from left to right.
class Cell {
 public:
  explicit Cell(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool eat(std::string_view word) {
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool number(std::int32_t& value) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc() || value < 0) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }
  // 0F3, 7B3@1
  bool single(Operation& o) {
    if (!number(o.stage)) return false;
    if (eat("F"))
      o.kind = OpKind::forward;
    else if (eat("B"))
      o.kind = OpKind::backward;
    else if (eat("I"))
      o.kind = OpKind::input_gradient;
    else if (eat("W"))
      o.kind = OpKind::weight_gradient;
    else
      return false;
    if (!number(o.micro_batch)) return false;
    return !eat("@") || (number(o.pipe) && o.pipe <= 1);
  }
  // (0F7;7B3)OVERLAP_F_B
  bool overlap(Operation& o) {
    Operation back;
    if (!eat("(") || !single(o) || !eat(";") || !single(back) || !eat(")OVERLAP_F_B")) return false;
    if (o.kind != OpKind::forward || back.kind != OpKind::backward) return false;
    o.kind = OpKind::overlapped;
    o.backward_stage = back.stage, o.backward_micro_batch = back.micro_batch, o.backward_pipe = back.pipe;
    return true;
  }
  // 0SEND_F3, 1UNSHARD: what a lowered list adds to the operations
  bool communication() {
    constexpr std::array<std::string_view, 7> kinds = {"SEND_F",  "RECV_F",  "SEND_B",     "RECV_B",
                                                       "UNSHARD", "RESHARD", "REDUCE_GRAD"};
    std::int32_t ignored = 0;
    if (!number(ignored)) return false;
    if (std::none_of(kinds.begin(), kinds.end(), [&](std::string_view kind) { return eat(kind); })) return false;
    return done() || number(ignored);
  }

 private:
  std::string_view rest_;
};

class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : text_(text), file_(file) {
    schedule_.name = file;
    schedule_.placement.ranks = 0;
  }

  Result<Schedule> read() {
    while (!text_.empty()) read_line();
    while (!schedule_.order.empty() && schedule_.order.back().empty()) schedule_.order.pop_back();
    if (errors_.empty()) find_sizes();
    if (errors_.empty()) find_placement();
    if (errors_.empty()) errors_ = validate(schedule_);
    for (Diagnostic& error : errors_) error.place.file = file_;
    if (!errors_.empty()) return std::move(errors_);
    if (left_out_) {
      schedule_.warnings.push_back(file_ + ": communication operations are left out; orrery sends messages of its own");
    }
    return std::move(schedule_);
  }

 private:
  void read_line() {
    const std::size_t end = std::min(text_.find('\n'), text_.size());
    line_text_ = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    ++line_;
    if (!line_text_.empty() && line_text_[0] == '#') return;
    lines_.push_back(line_);
    schedule_.order.emplace_back();
    for (std::size_t at = 0; at <= line_text_.size();) {
      const std::size_t comma = std::min(line_text_.find(',', at), line_text_.size());
      read_cell(at, comma);
      at = comma + 1;
    }
  }

  void read_cell(std::size_t from, std::size_t to) {
    while (from < to && is_blank(line_text_[from])) ++from;
    while (from < to && is_blank(line_text_[to - 1])) --to;
    if (from == to) return;
    const std::string_view text = line_text_.substr(from, to - from);
    Operation operation;
    Cell single(text), overlap(text), communication(text);
    if (single.single(operation) && single.done()) return schedule_.order.back().push_back(operation);
    operation = {};
    if (overlap.overlap(operation) && overlap.done()) return schedule_.order.back().push_back(operation);
    if (communication.communication() && communication.done()) {
      left_out_ = true;
      return;
    }
    if (errors_.size() >= kMostMistakes) return;
    Diagnostic error;
    error.place = {file_, line_, static_cast<int>(from) + 1};
    error.message = fmt::format("'{}' is no operation", text.substr(0, kLongestShownLine));
    error.help = "0F3 is stage 0, forward, micro-batch 3; I, W, B and (0F7;7B3)OVERLAP_F_B are the others";
    if (line_text_.size() <= kLongestShownLine)
      error.source_line = line_text_, error.length = static_cast<int>(text.size());
    errors_.push_back(std::move(error));
  }

  template <class Visit>
  void for_halves(Visit&& visit) const {
    for (std::size_t rank = 0; rank < schedule_.order.size(); ++rank) {
      for (const Operation& o : schedule_.order[rank]) {
        visit(rank, forward_half(o));
        if (o.kind == OpKind::overlapped) visit(rank, gradient_half(o));
      }
    }
  }

  // Stages, micro-batches and pipes are those that occur; a number too many would be a list of nothing but gaps.
  void find_sizes() {
    std::int64_t stages = 0, per_pipe = 0, pipes = 1, halves = 0;
    for_halves([&](std::size_t, const Half& half) {
      stages = std::max<std::int64_t>(stages, half.stage + std::int64_t{1});
      per_pipe = std::max<std::int64_t>(per_pipe, half.micro_batch + std::int64_t{1});
      pipes = std::max<std::int64_t>(pipes, half.pipe + std::int64_t{1});
      ++halves;
    });
    if (halves == 0) return error(0, "no operations");
    if (stages > halves / per_pipe / pipes) {
      return error(0, fmt::format("{} stages and {} micro-batches occur, but only {} operations", stages,
                                  per_pipe * pipes, halves));
    }
    schedule_.micro_batches = static_cast<int>(per_pipe * pipes);
    Placement& placement = schedule_.placement;
    placement.ranks = static_cast<int>(schedule_.order.size());
    placement.stages = static_cast<int>(stages);
    placement.pipes = static_cast<int>(pipes);
    placement.rank.assign(static_cast<std::size_t>(stages * pipes), -1);
    for (const auto& order : schedule_.order) {
      for (const Operation& o : order) schedule_.split_backward |= o.kind == OpKind::input_gradient;
    }
  }

  void find_placement() {
    Placement& placement = schedule_.placement;
    for_halves([&](std::size_t rank, const Half& half) {
      auto& home = placement.rank[index(half.pipe * placement.stages + half.stage)];
      if (home >= 0 && home != static_cast<int>(rank) && errors_.size() < kMostMistakes) {
        error(lines_[rank], fmt::format("rank {} runs stage {}, which rank {} holds", rank, half.stage, home));
      }
      home = static_cast<int>(rank);
    });
    for (int pipe = 0; pipe < placement.pipes; ++pipe) {
      for (int stage = 0; stage < placement.stages; ++stage) {
        if (placement.rank[index(pipe * placement.stages + stage)] >= 0) continue;
        return error(0, fmt::format("no rank runs stage {}{}", stage, pipe > 0 ? " of pipe 1" : ""));
      }
    }
  }

  void error(int line, std::string message) {
    Diagnostic d;
    d.place = {file_, line, line > 0 ? 1 : 0};
    d.message = std::move(message);
    errors_.push_back(std::move(d));
  }

  std::string_view text_, line_text_;
  const std::string& file_;
  int line_ = 0;
  std::vector<int> lines_;  // [rank] its line
  bool left_out_ = false;
  Schedule schedule_;
  Diagnostics errors_;
};

}  // namespace

Result<Schedule> from_csv(std::string_view text, const std::string& file) {
  return Reader(text, file).read();
}

Result<Schedule> load_csv(const std::string& file) {
  const Result<std::string> text = read_file(file, kMaxFileBytes);
  if (!text.ok()) return text.errors();
  return from_csv(*text, shown_name(file));
}

}  // namespace orrery::schedule
