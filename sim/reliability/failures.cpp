#include "orrery/reliability/failures.hpp"

#include <set>

#include "orrery/core/data_files.hpp"

namespace orrery::reliability {
namespace {

constexpr DataCollection kReliabilities{"ORRERY_SCENARIOS", "scenarios", "reliability", "reliability preset"};

const Fields<FailureCause>& cause_fields() {
  static const auto table =
      Fields<FailureCause>("failure", "Failures of one cause.")
          .add("cause", &FailureCause::cause, "its name in reports")
          .required()
          .add("per_gpu_year", &FailureCause::per_gpu_year, "failures of the run over its GPUs and years")
          .required()
          .number_range(0, 1e6)
          .positive()
          .add("takes_node", &FailureCause::takes_node, "the node goes to repair and a spare one takes its place")
          .add("detection", &FailureCause::detection, "until it is noticed; default: that of the section")
          .add("restart", &FailureCause::restart, "until training goes on; default: that of the section");
  return table;
}

const Fields<Checkpoint>& checkpoint_fields() {
  static const auto table =
      Fields<Checkpoint>("checkpoint", "The state that a run comes back to.")
          .add("interval", &Checkpoint::interval, "training between two; default: that of the greatest goodput")
          .positive()
          .add("time", &Checkpoint::time, "until it can be read back; default: bytes over bandwidth")
          .add("hold", &Checkpoint::hold, "of that, how long training stands still; default: all of it")
          .add("bytes", &Checkpoint::bytes, "of the whole model; default: its weights and optimizer states")
          .positive()
          .add("bandwidth", &Checkpoint::bandwidth, "at which all ranks together write it")
          .rule("hold", [](const Checkpoint& c) {
            return c.time && c.hold && *c.hold > *c.time ? std::string("is part of time, and longer than that")
                                                         : std::string();
          });
  return table;
}

std::string doubled_cause(const Reliability& r) {
  std::set<std::string> seen;
  for (const FailureCause& f : r.failures)
    if (!seen.insert(f.cause).second) return "has '" + f.cause + "' twice: give each cause once, their rates added";
  return {};
}

}  // namespace

const Fields<Reliability>& reliability_fields() {
  using R = Reliability;
  static const auto table =
      Fields<R>("reliability", "What stops a long run, and what that costs.")
          .shorthand("type")
          .add("type", &R::type, "the preset whose values these change (orrery list reliability)")
          .add("about", &R::about, "what it is and where its figures are from")
          .section("failures", &R::failures, cause_fields(), "by cause")
          .section("checkpoint", &R::checkpoint, checkpoint_fields(), "the state that a run comes back to")
          .add("detection", &R::detection, "from a failure to its being noticed")
          .add("restart", &R::restart, "from then on until training goes on: a spare node, processes, the checkpoint")
          .add("spare_nodes", &R::spare_nodes, "nodes that wait to take the place of others")
          .range(0, 1 << 20)
          .add("repair", &R::repair, "until a node that failed can be a spare one; mean")
          .rule("failures", doubled_cause);
  return table;
}

std::vector<Missing> missing_in(const Reliability& r) {
  std::vector<Missing> missing;
  if (r.failures.empty())
    missing.push_back({"reliability.failures", "are missing: what stops the run, and how often?",
                       "name a preset (orrery list reliability), or list {cause, per_gpu_year}"});
  if (!r.checkpoint.time && r.checkpoint.bandwidth.value == 0)
    missing.push_back({"reliability.checkpoint", "does not say how long one takes",
                       "give its time, or the bandwidth that all ranks together write it with"});
  return missing;
}

Result<Reliability> load_reliability(const std::string& name, Catalogue& catalogue) {
  const auto file = find_data_file(kReliabilities, name);
  if (!file) return file.errors();
  const auto read_file = [&]() -> Result<Reliability> {
    const auto tree = read_yaml_file(*file);
    if (!tree) return tree.errors();
    return read(reliability_fields(), *tree, tree->root());
  };
  return names_a_file(name) ? read_file() : catalogue.once<Reliability>(*file, read_file);
}

std::vector<std::string> reliability_names() {
  return list_data_files(kReliabilities);
}

}  // namespace orrery::reliability
