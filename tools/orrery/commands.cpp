// The subcommands, in the order --help lists them. A new one is a file of its own and a line here.
#include "cli.hpp"

namespace orrery::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> list{
      {"completion", "Print the completion script of a shell", add_completion},
  };
  return list;
}

}  // namespace orrery::cli
