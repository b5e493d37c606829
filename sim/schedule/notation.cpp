#include <fmt/format.h>

#include <iterator>

#include "orrery/schedule/csv.hpp"

namespace orrery::schedule {
namespace {

void append(std::string& text, char kind, int stage, int micro_batch, int pipe) {
  fmt::format_to(std::back_inserter(text), "{}{}{}", stage, kind, micro_batch);
  if (pipe != 0) fmt::format_to(std::back_inserter(text), "@{}", pipe);
}

void append(std::string& text, const Operation& o) {
  switch (o.kind) {
    case OpKind::forward:
      return append(text, 'F', o.stage, o.micro_batch, o.pipe);
    case OpKind::backward:
      return append(text, 'B', o.stage, o.micro_batch, o.pipe);
    case OpKind::input_gradient:
      return append(text, 'I', o.stage, o.micro_batch, o.pipe);
    case OpKind::weight_gradient:
      return append(text, 'W', o.stage, o.micro_batch, o.pipe);
    case OpKind::overlapped:
      break;
  }
  text += '(';
  append(text, 'F', o.stage, o.micro_batch, o.pipe);
  text += ';';
  append(text, 'B', o.backward_stage, o.backward_micro_batch, o.backward_pipe);
  text += ")OVERLAP_F_B";
}

}  // namespace

std::string to_string(const Operation& operation) {
  std::string text;
  append(text, operation);
  return text;
}

std::string to_csv(const Schedule& schedule) {
  std::string text;
  for (const auto& order : schedule.order) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0) text += ',';
      append(text, order[i]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace orrery::schedule
