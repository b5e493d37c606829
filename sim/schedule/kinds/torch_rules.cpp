// The suffix "(torch)": the same schedule under the conditions of torch.distributed.pipelining (2.14), for those who
// will run it there: 1F1B refuses fewer micro-batches than stages; interleaved schedules choose the group size
// themselves, rounds = max(1, m div p), g = m / rounds, which must divide.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "schedule/kinds/kinds.hpp"

namespace orrery::schedule::kinds {

bool asks_for_torch(const std::string& name) {
  constexpr std::string_view suffix = "(torch)";
  return name.size() > suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0;
}

Result<ScheduleRequest> torch_rules(const ScheduleRequest& asked) {
  constexpr std::array<std::string_view, 7> known = {
      "gpipe", "1f1b", "interleaved_1f1b", "looped_bfs", "interleaved_zb1p", "zbv", "dualpipev"};
  ScheduleRequest request = asked;
  request.name = asked.name.substr(0, asked.name.size() - std::string_view("(torch)").size());
  if (std::find(known.begin(), known.end(), request.name) == known.end()) {
    return refusal(fmt::format("PyTorch has no schedule '{}'", request.name), fmt::format("use '{}'", request.name));
  }
  const int p = request.ranks, m = request.micro_batches;
  if (p < 1 || m < 1) return request;  // refused with the rest of the degrees
  if (request.name == "1f1b" && m < p) {
    return refusal(fmt::format("PyTorch's 1F1B needs at least as many micro-batches as ranks: {} < {}", m, p),
                   "1f1b, as Megatron-LM runs it, clips the warm-up");
  }
  if (request.name == "interleaved_1f1b" || request.name == "interleaved_zb1p") {
    const int rounds = std::max(1, m / p);
    if (m % rounds != 0) {
      return refusal(
          fmt::format("PyTorch's interleaved schedules need micro-batches in a multiple of the {} rounds "
                      "(m div p), not {}",
                      rounds, m));
    }
    request.group = m / rounds;
  }
  return request;
}

}  // namespace orrery::schedule::kinds
