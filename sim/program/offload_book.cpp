#include "orrery/program/offload_book.hpp"

#include <fmt/format.h>

#include <map>
#include <string_view>

namespace orrery::program {

std::vector<std::string> audit_offload(const Program& program, const std::vector<MovedState>& moved) {
  std::vector<std::string> wrong;
  std::vector<std::map<std::string_view, std::int64_t>> copied(program.devices.size());
  for (TaskId task = 0; task < program.tasks(); ++task) {
    const TaskTemplate& t = program.template_of(task);
    if (t.category != Category::offload_comm) continue;
    copied[program.participant(task).device][t.name] += t.bytes_sent.value;
  }
  for (DeviceIndex d = 0; d < copied.size(); ++d) {
    const MovedState of = moved.empty() ? MovedState{} : moved.at(d);
    const auto hold = [&](const char* what, std::int64_t least, std::int64_t most) {
      const std::int64_t bytes = copied[d][what];
      if (bytes < least * program.steps || bytes > most * program.steps)
        wrong.push_back(fmt::format("device {}: {} is of {} bytes, the state that moves of {}{}", d, what, bytes,
                                    least * program.steps,
                                    most > least ? fmt::format(" to {}", most * program.steps) : ""));
      copied[d].erase(what);
    };
    hold("offload activations", of.activations, of.activations);
    hold("fetch activations", of.activations, of.activations);
    hold("fetch weights", of.fetched_weights, of.fetched_weights);
    hold("offload gradients", of.least_gradients, of.gradients);
    hold("fetch updated weights", of.updated_weights, of.updated_weights);
    for (const auto& [name, bytes] : copied[d])
      wrong.push_back(fmt::format("device {}: {} of {} bytes is no state that moves", d, name, bytes));
  }
  return wrong;
}

}  // namespace orrery::program
