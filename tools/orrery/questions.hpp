// Subcommands that answer one of several questions: an option that the question asked knows nothing of is refused, not
// passed over.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "cli.hpp"

namespace orrery::cli {

// Whether the option "--name" was said, once the command line is parsed.
bool was_said(const Arguments& arguments, const std::string& option);

class Questions {
 public:
  // Each by the option or word that asks it: "--table".
  explicit Questions(std::vector<std::string> names) : names_(std::move(names)) {}

  // The option belongs to those questions whose places stand in `of`: {0, 2}.
  void add(const std::string& option, const std::vector<std::size_t>& of) { options_.emplace_back(option, of); }
  // Of the options that were said, those that have no place in the question: "--law has no meaning with --scenario;
  // it belongs to --budget".
  Diagnostics out_of_place(std::size_t question, const Arguments& arguments) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::pair<std::string, std::vector<std::size_t>>> options_;
};

}  // namespace orrery::cli
