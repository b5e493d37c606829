// The arithmetic of the course notes, with their own table of GPUs (scenarios/planning/rule_of_thumb.yaml): their
// printed results come out as printed, and each slip is said beside the figure it concerns. For figures of hardware use
// the catalogue and the simulator.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "orrery/core/catalogue.hpp"
#include "orrery/core/units.hpp"
#include "orrery/planning/answer.hpp"

namespace orrery::planning {

struct ThumbGpu {
  std::string name, peak_is;
  double price_usd_per_hour = 0;
  FlopsPerSecond peak{};
  Bytes memory{};
};
struct ThumbModel {
  std::string name;
  double parameters = 0;
};
struct ThumbTable {
  std::string source;
  std::vector<ThumbGpu> gpus;
  std::vector<ThumbModel> models;
};
Result<ThumbTable> load_thumb_table(Catalogue& catalogue = Catalogue::shared());

struct ThumbPlan {
  std::string model;  // named, or parameters alone
  std::optional<double> parameters;
  double tokens = 0;
  std::string gpu;          // of the notes' table
  double efficiency = 0.5;  // of the peak; the notes take 0.25 and 0.5
};
// FLOPs, GPU hours and cost of a training run. Errors: a model or GPU there is not, an efficiency outside (0, 1].
Result<Answer> thumb_plan(const ThumbPlan& plan, Catalogue& catalogue = Catalogue::shared());

enum class Purpose : std::uint8_t { training, fine_tuning, inference };
const char* name_of(Purpose purpose);

struct ThumbFit {
  double parameters = 0;
  Bytes gpu_memory{}, cpu_memory{};
  Purpose purpose = Purpose::inference;
  std::string precision;  // of the weights: fp32, fp16, bf16, int8; empty: fp16, to train fp32
};
// Whether it fits, in the notes' words, and how many more GPUs it takes at which price.
Result<Answer> thumb_fit(const ThumbFit& fit, Catalogue& catalogue = Catalogue::shared());

// The number of parameters as the notes take it, else the exact count of the preset.
Result<double> parameters_of(const std::string& model, const ThumbTable& table, Catalogue& catalogue);

}  // namespace orrery::planning
