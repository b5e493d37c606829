// What stops a training run and what that costs: failures by cause, checkpoints, restarts, spare nodes. The section
// `reliability` of a scenario; presets in scenarios/reliability.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/fields.hpp"

namespace orrery::reliability {

struct FailureCause {
  std::string cause;                   // in reports: gpu, network, software
  double per_gpu_year = 0;             // failures of the whole run, over its GPUs and years of 365.25 days
  bool takes_node = false;             // the node is repaired and a spare one takes its place
  std::optional<Time> detection = {};  // default: that of the run
  std::optional<Time> restart = {};

  friend bool operator==(const FailureCause&, const FailureCause&) = default;
};

struct Checkpoint {
  std::optional<Time> interval;  // of training between two; default: the best one
  std::optional<Time> time;      // until it can be read back; default: bytes over bandwidth
  std::optional<Time> hold;      // of these, the time that training stands still; default: all
  std::optional<Bytes> bytes;    // of the whole model; default: its weights and optimizer states
  BytesPerSecond bandwidth{};    // at which all ranks together write; 0 = not known

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

struct Reliability {
  std::string type;  // the preset whose values these change
  std::string about;
  std::vector<FailureCause> failures;
  Checkpoint checkpoint;
  Time detection{};  // from a failure to its being noticed
  Time restart{};    // from then on until training goes on: a spare node, processes, the checkpoint read
  int spare_nodes = 0;
  Time repair{};  // until a node that failed can be a spare one

  friend bool operator==(const Reliability&, const Reliability&) = default;
  bool given() const { return *this != Reliability{}; }
};

const Fields<Reliability>& reliability_fields();

// What a section lacks for a run to be told anything of: failures, the time of a checkpoint.
struct Missing {
  std::string path, message, help;
};
std::vector<Missing> missing_in(const Reliability& reliability);

// The preset NAME, or a file. Errors: unknown, unreadable, wrong.
Result<Reliability> load_reliability(const std::string& name, Catalogue& catalogue);
std::vector<std::string> reliability_names();

}  // namespace orrery::reliability
