// What the subcommands of the command line share. One file a subcommand: it declares its options and
// returns what to do once they are parsed; commands.cpp lists them.
//
//   Action add_check(Arguments& app, const Console& console) {
//     auto options = std::make_shared<CheckOptions>();                    // lives as long as the action
//     app.add_option("SCENARIO", options->path, "YAML file").required();
//     return [options, &console] { … console.print(text); return kOk; };
//   }
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"
#include "orrery/core/error.hpp"

namespace orrery::cli {

// Exit codes. kClosedPipe is what a shell reports for a program that a closed pipe ended.
inline constexpr int kOk = 0;
inline constexpr int kNo = 1;        // it ran, and the answer is negative: does not fit, no feasible point
inline constexpr int kWrong = 2;     // usage or scenario error, or a file that cannot be written
inline constexpr int kInternal = 3;  // a bug of ours
inline constexpr int kInterrupted = 130;
inline constexpr int kClosedPipe = 141;

enum class Color { automatic, always, never };
enum class Style { plain, error, help, strong, dim };

// The two streams: data to stdout, talk to stderr, each with or without colour.
class Console {
 public:
  Color color = Color::automatic;
  int verbosity = 0;  // -1 with -q, 1 with -v

  // Data. The first failure is kept for finish().
  void print(std::string_view text) const;
  // Talk: progress, warnings, hints; silent with -q.
  void say(std::string_view text) const;
  // An error in the words of the tool: "orrery run: unknown option '--sett'" and a remedy.
  void complain(std::string_view text, std::string_view help = {}) const;
  // Diagnostics of an input file, to stderr. Returns kWrong, for `return console.refuse(errors);`.
  int refuse(const Diagnostics& errors) const;

  // Of stdout.
  bool is_terminal() const;
  int width() const;  // columns; 80 where nobody says
  bool color_out() const;
  bool color_err() const;
  std::string styled(Style style, std::string_view text, bool colored) const;

  // Flushes stdout; the exit code, or another one if stdout failed.
  int finish(int code) const;

 private:
  std::string painted(const std::string& rendered) const;
  mutable int print_error_ = 0;  // errno
};

using Action = std::function<int()>;

struct Command {
  const char* name;
  const char* summary;
  Action (*declare)(Arguments& app, const Console& console);
};
const std::vector<Command>& commands();

Action add_run(Arguments& app, const Console& console);
Action add_check(Arguments& app, const Console& console);
Action add_compare(Arguments& app, const Console& console);
Action add_sweep(Arguments& app, const Console& console);
Action add_plan(Arguments& app, const Console& console);
Action add_fit(Arguments& app, const Console& console);
Action add_explain(Arguments& app, const Console& console);
Action add_glossary(Arguments& app, const Console& console);
Action add_tune(Arguments& app, const Console& console);
Action add_diff(Arguments& app, const Console& console);
Action add_trace(Arguments& app, const Console& console);
Action add_init(Arguments& app, const Console& console);
Action add_list(Arguments& app, const Console& console);
Action add_schedule(Arguments& app, const Console& console);
Action add_topology(Arguments& app, const Console& console);
Action add_collective(Arguments& app, const Console& console);
Action add_schema(Arguments& app, const Console& console);
Action add_validate(Arguments& app, const Console& console);
Action add_completion(Arguments& app, const Console& console);

}  // namespace orrery::cli
