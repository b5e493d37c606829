// The options of a subcommand, declared here and parsed by CLI11 behind it: that header costs every file that sees it
// six seconds of compilation, so only arguments.cpp, main.cpp and completion.cpp do.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace orrery::cli {

// One that was declared; more can be said of it.
class Argument {
 public:
  explicit Argument(CLI::Option* option) : option_(option) {}
  Argument& required();
  Argument& one_of(const std::vector<std::string>& values);
  Argument& range(int least, int most);
  Argument& range(double least, double most);
  Argument& repeated();                                // any number of times, a value each
  Argument& value_optional(const std::string& value);  // and what it is where none is said
  Argument& type_name(const std::string& name);
  Argument& group(const std::string& name);  // its heading in the help

 private:
  CLI::Option* option_;
};

class Arguments {
 public:
  explicit Arguments(CLI::App& app) : app_(&app) {}

  // "--name,-n" takes a value, "NAME" stands by itself. T: std::string, std::vector<std::string>, int, std::int64_t or
  // double. `into` must live until the command line is parsed.
  template <class T>
  Argument add_option(const std::string& names, T& into, const std::string& help);
  Argument add_flag(const std::string& names, bool& into, const std::string& help);
  // `read` returns what is wrong with the value, or nothing.
  Argument add_reader(const std::string& name, const std::function<std::string(const std::string&)>& read,
                      const std::string& help);
  void footer(const std::string& text);
  CLI::App& app() const { return *app_; }

 private:
  CLI::App* app_;
};

}  // namespace orrery::cli
