// The list of schedules, and make_schedule.
#include "schedule/kinds/kinds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>

#include "core/synonyms.hpp"
#include "orrery/schedule/replay.hpp"
#include "orrery/schedule/validate.hpp"

namespace orrery::schedule {
namespace {

enum class Chunks { one, any, two, copies };  // stages a rank may hold; `copies`: of one stage of each of two models

struct Entry {
  ScheduleKind kind;
  Chunks chunks;
  kinds::Build build;
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> list = {
      {{"gpipe", "all forwards, then all backwards", false, false, 1, 1, true}, Chunks::one, kinds::gpipe},
      {{"1f1b", "one forward, one backward (PipeDream-Flush)", false, false, 1, 1, true},
       Chunks::one,
       kinds::one_f_one_b},
      {{"eager_1f1b", "1F1B with a longer warm-up that hides latency", false, false}, Chunks::one, kinds::eager_1f1b},
      {{"interleaved_1f1b", "1F1B over several chunks a rank (Megatron-LM)", true, false, 1, 1, true},
       Chunks::any,
       kinds::interleaved_1f1b},
      {{"looped_bfs", "breadth-first over several chunks a rank", true, false}, Chunks::any, kinds::looped_bfs},
      {{"interleaved_1f1b_overlap", "interleaved 1F1B, forward and backward overlapped", true, false},
       Chunks::any,
       kinds::interleaved_1f1b_overlap},
      {{"zb_h1", "zero bubble H1: split backward at 1F1B's memory", false, true}, Chunks::one, kinds::zb_h1},
      {{"zb_h2", "zero bubble H2: split backward at twice 1F1B's memory", false, true}, Chunks::one, kinds::zb_h2},
      {{"interleaved_zb1p", "zero bubble over several chunks a rank (PyTorch)", true, true},
       Chunks::any,
       kinds::interleaved_zb1p},
      {{"zbv", "ZB-V: zero bubble, two chunks in a V", true, true}, Chunks::two, kinds::zbv},
      {{"v_half", "V-Half: two chunks in a V at half of 1F1B's memory", true, true}, Chunks::two, kinds::v_half},
      {{"v_min", "V-Min: two chunks in a V at a third of 1F1B's memory", true, true}, Chunks::two, kinds::v_min},
      {{"zb_auto", "zero bubble by search under a memory cap", false, true}, Chunks::one, kinds::zb_auto},
      {{"zb_1p", "zb_auto at 1F1B's memory (p micro-batches)", false, true}, Chunks::one, kinds::zb_1p},
      {{"zb_2p", "zb_auto at twice 1F1B's memory (2p micro-batches)", false, true}, Chunks::one, kinds::zb_2p},
      {{"dualpipe", "DualPipe: two copies of the model, forward and backward overlapped", false, true},
       Chunks::copies,
       kinds::dualpipe},
      {{"dualpipev", "DualPipeV: DualPipe folded into a V", true, true}, Chunks::two, kinds::dualpipev},
      {{"chimera", "Chimera: two copies of the model in opposite directions", false, false},
       Chunks::copies,
       kinds::chimera},
  };
  return list;
}

// Levenshtein distance, for the nearest known name.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

Diagnostic unknown(const std::string& name) {
  const Entry* nearest = nullptr;
  std::size_t best = std::max<std::size_t>(3, name.size() / 2);
  std::string known;
  std::vector<std::string> names;
  for (const Entry& entry : entries()) {
    names.push_back(entry.kind.name);
    const std::size_t d = distance(name, entry.kind.name);
    if (d < best) best = d, nearest = &entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.kind.name);
  }
  std::string help = remedy_for_word("schedule", name, names);
  if (help.empty() && nearest != nullptr) help = fmt::format("did you mean '{}'?", nearest->kind.name);
  return kinds::refusal(fmt::format("unknown schedule '{}'; known are {}", name, known), help);
}

const Entry* find(const std::string& name) {
  const auto& list = entries();
  const auto entry = std::find_if(list.begin(), list.end(), [&](const Entry& e) { return name == e.kind.name; });
  return entry == list.end() ? nullptr : &*entry;
}

Diagnostics check_degrees(const ScheduleRequest& r, const Entry& entry) {
  const std::string name = r.name;
  // 2^28 operations are 7 GB; nobody plans such a step, and sizes below it fit the 32-bit ids.
  constexpr std::int64_t kMostOperations = std::int64_t{1} << 28;
  if (r.ranks < 1 || r.micro_batches < 1 || r.chunks < 1 || r.group < 0) {
    return {kinds::refusal(name + " needs at least 1 rank, 1 chunk and 1 micro-batch, and a group size of at least 1")};
  }
  if (kMostOperations / r.ranks / r.chunks / r.micro_batches < 3) {
    return {kinds::refusal(name + ": more operations than can be listed (2^28)")};
  }
  if (entry.chunks == Chunks::one && r.chunks != 1) {
    return {kinds::refusal(fmt::format("{} holds 1 chunk per rank, not {}", name, r.chunks),
                           "interleaved_1f1b and looped_bfs take several chunks per rank")};
  }
  if (entry.chunks == Chunks::two && r.chunks > 2) {
    return {kinds::refusal(fmt::format("{} holds exactly 2 chunks per rank, not {}", name, r.chunks))};
  }
  if (entry.chunks == Chunks::copies && r.chunks > 2) {
    return {kinds::refusal(
        fmt::format("{} holds 1 stage of each of its 2 copies of the model per rank, not {}", name, r.chunks))};
  }
  return {};
}

// What a warning of a builder costs, in unit times: kept where it loses time against no bubble but the pipeline's own,
// (m·v + p-1)·(F+I+W).
void weigh_warnings(Schedule& schedule, const ScheduleRequest& request) {
  std::erase(schedule.warnings, std::string());
  if (schedule.warnings.empty()) return;
  const Replay played = replay(schedule, uniform_times(schedule.placement.stages, 1, 1, 1));
  const std::int64_t ideal =
      3 * (static_cast<std::int64_t>(request.micro_batches) * request.chunks + request.ranks - 1);
  if (played.makespan <= ideal) return schedule.warnings.clear();
  for (std::string& warning : schedule.warnings) {
    warning += fmt::format("; it runs, but at a loss: makespan {} > ideal {} (F = I = W = 1)", played.makespan, ideal);
  }
}

}  // namespace

namespace kinds {

Schedule empty_schedule(const ScheduleRequest& request, Placement placement, bool split_backward) {
  Schedule schedule;
  schedule.name = request.name;
  schedule.placement = std::move(placement);
  schedule.micro_batches = request.micro_batches;
  schedule.split_backward = split_backward;
  schedule.order.resize(at(request.ranks));
  return schedule;
}

Diagnostic refusal(const std::string& message, const std::string& help) {
  return {{}, "schedule", message, help, {}};
}

void append_1f1b(std::vector<Operation>& order, int stage, int micro_batches, int warm_up) {
  order.reserve(order.size() + 2 * at(micro_batches));
  for (int i = 0; i < micro_batches + warm_up; ++i) {
    if (i < micro_batches) order.push_back(forward(stage, i));
    if (i >= warm_up) order.push_back(backward(stage, i - warm_up));
  }
}

}  // namespace kinds

Diagnostics check_request(const ScheduleRequest& request) {
  if (kinds::asks_for_torch(request.name)) {
    const Result<ScheduleRequest> under_rules = kinds::torch_rules(request);
    return under_rules.ok() ? check_request(*under_rules) : under_rules.errors();
  }
  const Entry* entry = find(request.name);
  return entry == nullptr ? Diagnostics{unknown(request.name)} : check_degrees(request, *entry);
}

Result<Schedule> make_schedule(const ScheduleRequest& request) {
  if (Diagnostics errors = check_request(request); !errors.empty()) return errors;
  if (kinds::asks_for_torch(request.name)) {
    Result<Schedule> schedule = make_schedule(*kinds::torch_rules(request));
    if (schedule.ok()) schedule->name = request.name;
    return schedule;
  }
  Result<Schedule> schedule = find(request.name)->build(request);
  if (!schedule.ok()) return schedule;
  if (Diagnostics errors = validate(*schedule); !errors.empty()) {
    std::erase(schedule->warnings, std::string());
    for (const std::string& warning : schedule->warnings) errors.back().help = warning;
    return errors;
  }
  weigh_warnings(*schedule, request);
  return schedule;
}

const std::vector<ScheduleKind>& schedule_kinds() {
  static const std::vector<ScheduleKind> kinds = [] {
    std::vector<ScheduleKind> all;
    for (const Entry& entry : entries()) {
      all.push_back(entry.kind);
      all.back().chunks = entry.chunks == Chunks::any ? 0 : entry.chunks == Chunks::two ? 2 : 1;
      all.back().copies = entry.chunks == Chunks::copies ? 2 : 1;
    }
    return all;
  }();
  return kinds;
}

}  // namespace orrery::schedule
