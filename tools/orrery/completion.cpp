// `orrery completion SHELL`: completion scripts from the same tree of options that parses the command line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <sstream>

#include "cli.hpp"
#include "orrery/cost/stack.hpp"
#include "orrery/hardware/catalogue.hpp"
#include "orrery/model/presets.hpp"
#include "orrery/schedule/schedule.hpp"

namespace orrery::cli {
namespace {

struct Flag {
  std::vector<std::string> names;  // with their dashes
  std::string text;
  std::vector<std::string> values;  // closed list, may be empty
  bool takes_value = false;
};
struct Sub {
  std::string name, text;
  std::vector<Flag> flags;
  std::vector<std::string> words;  // of a positional with a closed list
};

// "{a,b,c}" anywhere in a type name, as CLI::IsMember writes it.
std::vector<std::string> values_of(const std::string& type) {
  std::vector<std::string> values;
  const std::size_t open = type.find('{'), close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return values;
  std::istringstream list(type.substr(open + 1, close - open - 1));
  for (std::string value; std::getline(list, value, ',');) values.push_back(value);
  return values;
}

// An option whose help names a list takes the names that stand in it; it may take files, too.
std::vector<std::string> listed_in(const std::string& help) {
  const auto names = [&](const char* list) {
    return help.find(std::string("orrery list ") + list) != std::string::npos;
  };
  if (names("models")) return model::list_models();
  if (names("gpus")) return hardware::gpu_names();
  if (names("clusters")) return hardware::cluster_names();
  if (names("stacks")) return cost::stack_names();
  std::vector<std::string> schedules;
  if (names("schedules"))
    for (const schedule::ScheduleKind& kind : schedule::schedule_kinds()) schedules.emplace_back(kind.name);
  return schedules;
}

Sub read_app(const CLI::App& app) {
  Sub sub{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    std::vector<std::string> values = values_of(option->get_type_name());
    if (values.empty()) values = listed_in(option->get_description());
    if (option->get_positional()) sub.words = values;
    if (!option->nonpositional() || option->get_group().empty()) continue;
    Flag flag{{}, option->get_description(), values, option->get_items_expected_max() > 0};
    for (const std::string& name : option->get_lnames()) flag.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
    sub.flags.push_back(std::move(flag));
  }
  return sub;
}

std::string join_names(const std::vector<Flag>& flags) {
  std::string text;
  for (const Flag& flag : flags)
    for (const std::string& name : flag.names) text += (text.empty() ? "" : " ") + name;
  return text;
}

// In single quotes of a POSIX shell.
std::string quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string bash_values(const std::vector<Flag>& flags) {
  std::string text;
  for (const Flag& flag : flags)
    if (!flag.values.empty())
      text += fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return ;;\n",
                          fmt::join(flag.names, "|"), fmt::join(flag.values, " "));
  return text;
}

std::string bash(const Sub& global, const std::vector<Sub>& subs) {
  std::string names, cases, values = bash_values(global.flags);
  for (const Sub& sub : subs) {
    names += (names.empty() ? "" : " ") + sub.name;
    values += bash_values(sub.flags);
    cases += fmt::format("    {}) flags='{} {}' words='{}' ;;\n", sub.name, join_names(sub.flags),
                         join_names(global.flags), fmt::join(sub.words, " "));
  }
  return fmt::format(R"(# bash completion of orrery; made by `orrery completion bash`
_orrery() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command='' flags='{}' words='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${{COMP_WORDS[i]}} in -*) ;; *) [[ ${{COMP_WORDS[i - 1]}} == --color ]] || {{ command=${{COMP_WORDS[i]}}; break; }} ;; esac
  done
  case $before in
{}  esac
  case $command in
    '') words='{}' ;;
{}  esac
  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$word")); return; fi
  if [[ -n $words ]]; then COMPREPLY=($(compgen -W "$words" -- "$word")); return; fi
  COMPREPLY=($(compgen -f -X '!*.@(yaml|yml)' -- "$word") $(compgen -d -S / -- "$word"))
}}
shopt -s extglob
complete -o filenames -o nospace -F _orrery orrery
)",
                     join_names(global.flags), values, names, cases);
}

std::string zsh_flags(const std::vector<Flag>& flags) {
  std::string text;
  for (const Flag& flag : flags) {
    std::string what;
    for (const char c : flag.text)
      what += c == '[' || c == ']' || c == ':' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    const std::string value = !flag.takes_value     ? ""
                              : flag.values.empty() ? ":value:_files"
                                                    : fmt::format(":value:({})", fmt::join(flag.values, " "));
    for (const std::string& name : flag.names)
      text += fmt::format("    {} \\\n", quote(fmt::format("*{}[{}]{}", name, what, value)));
  }
  return text;
}

std::string zsh(const Sub& global, const std::vector<Sub>& subs) {
  std::string names, cases;
  for (const Sub& sub : subs) {
    names += fmt::format("    {}\n", quote(sub.name + ":" + sub.text));
    const std::string words = sub.words.empty() ? "*:scenario:_files -g '*.(yaml|yml)(-.)'"
                                                : fmt::format("1:word:({})", fmt::join(sub.words, " "));
    cases += fmt::format("    {}) _arguments \\\n{}    {} ;;\n", sub.name,
                         zsh_flags(sub.flags) + zsh_flags(global.flags), "\"" + words + "\"");
  }
  return fmt::format(R"(#compdef orrery
# zsh completion of orrery; made by `orrery completion zsh`
_orrery() {{
  local -a subcommands
  subcommands=(
{}  )
  local context state line
  _arguments -C \
{}    '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command subcommands ;;
    argument) case $line[1] in
{}    esac ;;
  esac
}}
if [[ $funcstack[1] == _orrery ]]; then _orrery "$@"; else compdef _orrery orrery; fi
)",
                     names, zsh_flags(global.flags), cases);
}

std::string fish_flags(const std::vector<Flag>& flags, const std::string& condition) {
  std::string text;
  for (const Flag& flag : flags) {
    text += "complete -c orrery" + condition;
    for (const std::string& name : flag.names)
      text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (flag.takes_value) text += " -r";
    if (!flag.values.empty()) text += fmt::format(" -f -a {}", quote(fmt::format("{}", fmt::join(flag.values, " "))));
    text += " -d " + quote(flag.text) + "\n";
  }
  return text;
}

std::string fish(const Sub& global, const std::vector<Sub>& subs) {
  std::string text = "# fish completion of orrery; made by `orrery completion fish`\n" + fish_flags(global.flags, "");
  for (const Sub& sub : subs)
    text += fmt::format("complete -c orrery -n __fish_use_subcommand -f -a {} -d {}\n", sub.name, quote(sub.text));
  for (const Sub& sub : subs) {
    const std::string condition = fmt::format(" -n '__fish_seen_subcommand_from {}'", sub.name);
    text += fish_flags(sub.flags, condition);
    if (!sub.words.empty())
      text += fmt::format("complete -c orrery{} -f -a {}\n", condition,
                          quote(fmt::format("{}", fmt::join(sub.words, " "))));
  }
  return text;
}

}  // namespace

Action add_completion(Arguments& app, const Console& console) {
  auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "Which shell").required().one_of({"bash", "zsh", "fish"});
  return [shell, program = app.app().get_parent(), &console] {
    const Sub global = read_app(*program);
    std::vector<Sub> subs;
    for (const CLI::App* sub : program->get_subcommands([](const CLI::App*) { return true; }))
      subs.push_back(read_app(*sub));
    console.print(*shell == "bash" ? bash(global, subs) : *shell == "zsh" ? zsh(global, subs) : fish(global, subs));
    return kOk;
  };
}

}  // namespace orrery::cli
