#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <map>
#include <new>

#include "cli.hpp"
#include "orrery/core/file.hpp"
#include "orrery/core/units.hpp"
#include "orrery/core/version.hpp"
#include "orrery/core/yaml.hpp"

namespace orrery::cli {
namespace {

// A closed standard stream must not become the number of the next file that is opened.
void open_standard_streams() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(file, F_GETFD) != -1) continue;
    // The wrong way round on purpose: writing to a stdout that was closed stays an error.
    [[maybe_unused]] const int opened = ::open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

// What was given back is used again. By itself the C library asks the system for each large array and gives it back,
// and the system clears every page anew: a fifth of the time of a large run.
void keep_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, -1);
  ::mallopt(M_TOP_PAD, 16 << 20);
#endif
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* level = &app; level; level = level->get_parent())
    for (const CLI::Option* option : level->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// The first word that is neither an option of the whole program nor its value.
std::string first_word(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--color")
      ++i;
    else if (!words[i].starts_with('-'))
      return words[i];
  }
  return {};
}

// `orrery` alone and `orrery help [COMMAND]` ask for help, too.
std::vector<std::string> words_of(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto help = std::find(words.begin(), words.end(), "help");
  if (first_word(words) == "help") words.erase(help), words.emplace_back("--help");
  if (words.empty()) words.emplace_back("--help");
  return words;
}

constexpr const char* kExitCodes =
    "Exit code: 0 done; 1 it ran, and the answer is no (does not fit, nothing feasible, a condition of --fail-on "
    "holds); "
    "2 the\ninput is wrong; 3 a bug in Orrery.";

int usage_error(const CLI::App& app, const Console& console, const CLI::ParseError& error) {
  const CLI::App* selected = &app;
  while (!selected->get_subcommands().empty()) selected = selected->get_subcommands().front();
  std::string command = "orrery";
  if (selected != &app) command += " " + selected->get_name();
  const std::string see = fmt::format("`{} --help` lists what it takes", command);
  if (!dynamic_cast<const CLI::ExtrasError*>(&error)) {
    console.complain(fmt::format("{}: {}", command, error.what()), see);
    return kWrong;
  }
  const std::vector<std::string> extra = app.remaining(true);
  // A value of an unknown option is left over too, so look for the option first.
  const auto option =
      std::find_if(extra.begin(), extra.end(), [](const std::string& w) { return w.size() > 1 && w[0] == '-'; });
  const std::string word = option != extra.end() ? *option : extra.empty() ? std::string() : extra.front();
  if (option == extra.end()) {
    console.complain(fmt::format("{}: unexpected argument '{}'", command, word), see);
    return kWrong;
  }
  const std::string name = word.substr(0, word.find('='));
  const std::string nearest = did_you_mean(name, option_names(*selected));
  console.complain(fmt::format("{}: unknown option '{}'", command, name), nearest.empty() ? see : nearest);
  return kWrong;
}

int unknown_command(const Console& console, const std::string& word) {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  const bool file = word.ends_with(".yaml") || word.ends_with(".yml");
  const std::string nearest = file ? fmt::format("`orrery run {}` simulates it", word) : did_you_mean(word, names);
  console.complain(fmt::format("no such command: '{}'", word),
                   nearest.empty() ? "`orrery --help` lists the commands" : nearest);
  return kWrong;
}

// Our own bugs and the machine's limits, after the options are parsed.
int guarded(const Console& console, const Action& action) {
  constexpr const char* kReport = "this is a bug in Orrery; please report it with the scenario and the version";
  try {
    return action();
  } catch (const std::bad_alloc&) {
    console.complain("out of memory", "fewer devices, steps or trace ranks need less");
    return kWrong;
  } catch (const OverflowError& error) {
    console.complain(error.what(), "a time beyond 106 days, or a count beyond 9.2e18, does not fit");
    return kWrong;
  } catch (const std::exception& error) {
    console.complain(fmt::format("internal error: {}", error.what()), kReport);
    return kInternal;
  }
}

int run(int argc, char** argv) {
  Console console;
  CLI::App app("Simulates a training step of a model, split over a GPU cluster: step time, bubble, memory, timeline.",
               "orrery");
  app.set_version_flag("--version", fmt::format("orrery {}\ncommit {}", version(), git_hash()),
                       "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.get_formatter()->column_width(32);
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kExitCodes);
  const std::map<std::string, Color> colors{
      {"auto", Color::automatic}, {"always", Color::always}, {"never", Color::never}};
  app.add_option("--color", console.color, "When to use colours")
      ->transform(CLI::CheckedTransformer(colors).description(""))
      ->type_name("{auto,always,never}");
  app.add_flag_callback(
      "-q,--quiet", [&] { console.verbosity = -1; }, "Say nothing but errors");
  app.add_flag_callback(
      "-v,--verbose", [&] { console.verbosity = 1; }, "Say more");

  // Only the command that is asked for says its options: those of `init` are the keys of the schema, which takes as
  // long to make as all the rest.
  std::vector<std::string> words = words_of(argc, argv);
  const std::string word = first_word(words);
  std::map<const CLI::App*, Action> actions;
  for (const Command& command : commands()) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    sub->fallthrough();
    if (word != command.name && word != "completion") continue;
    Arguments arguments(*sub);
    actions[sub] = command.declare(arguments, console);
    if (const std::string said = sub->get_footer(); said.find("Exit code") == std::string::npos)
      sub->footer(said + (said.empty() ? "" : "\n\n") + kExitCodes);
  }
  const auto is_word = [&](const Command& command) { return command.name == word; };
  if (!word.empty() && std::none_of(commands().begin(), commands().end(), is_word))
    return unknown_command(console, word);
  try {
    std::reverse(words.begin(), words.end());  // as CLI11 takes them
    app.parse(std::move(words));
  } catch (const CLI::CallForVersion&) {
    console.print(app.version() + "\n");
    return console.finish(kOk);
  } catch (const CLI::Success&) {
    console.print(app.help());
    return console.finish(kOk);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, console, error);
  }
  return console.finish(guarded(console, actions.at(app.get_subcommands().front())));
}

}  // namespace
}  // namespace orrery::cli

int main(int argc, char** argv) {
  orrery::cli::keep_memory();
  orrery::cli::open_standard_streams();
  orrery::end_cleanly_on_signals();
  try {
    return orrery::cli::run(argc, argv);
  } catch (...) {  // thrown before or after the subcommand: nothing of the user's is to blame
    return orrery::cli::kInternal;
  }
}
