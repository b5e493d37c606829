// Rows that are runs of a step: their scenarios played, and what they say put beside what was measured.
#pragma once
#include <optional>
#include <vector>

#include "orrery/scenario/scenario.hpp"
#include "orrery/validation/validate.hpp"

namespace orrery::validation {

enum class MemoryKind : std::uint8_t { allocated, allocated_last_rank, reserved, reserved_first_rank, process };

// What is played, and in which unit memory is asked for. Without a scenario the row is not.
struct Job {
  std::optional<scenario::Scenario> scenario;
  MemoryKind memory = MemoryKind::reserved;
};

// Step time in seconds, peak of the memory in GiB: the two figures of such a row.
std::vector<Figure> figures_of_run(const std::optional<double>& step_time_s,
                                   const std::optional<double>& peak_memory_gib);

// [row] its job. Fills in what is predicted, or why a row is refused.
void play_rows(std::vector<Job>& jobs, const Options& options, std::vector<Row>& rows);

inline constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

}  // namespace orrery::validation
