#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "cli.hpp"
#include "orrery/core/show.hpp"

namespace orrery::cli {

namespace {

int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written >= 0)
      text.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      return errno;
  }
  return 0;
}

// All text goes out through here, but for traces and graphs, whose formats have an escape of their own.
std::string shown(std::string_view text, bool colored) {
  return safe_to_show(text, colored ? Shown::coloured : Shown::lines);
}

std::string_view environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? value : "";
}

// --color, then NO_COLOR (https://no-color.org), then CLICOLOR_FORCE, then whether it is a terminal that can.
bool colored(Color color, int file) {
  if (color != Color::automatic) return color == Color::always;
  if (!environment("NO_COLOR").empty()) return false;
  const std::string_view force = environment("CLICOLOR_FORCE"), terminal = environment("TERM");
  if (!force.empty() && force != "0") return true;
  return ::isatty(file) && !terminal.empty() && terminal != "dumb";
}

}  // namespace

bool Console::is_terminal() const {
  return ::isatty(STDOUT_FILENO) && environment("TERM") != "dumb";
}

int Console::width() const {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool Console::color_out() const {
  return colored(color, STDOUT_FILENO);
}
bool Console::color_err() const {
  return colored(color, STDERR_FILENO);
}

std::string Console::styled(Style style, std::string_view text, bool on) const {
  if (!on || style == Style::plain) return std::string(text);
  const char* code = style == Style::error    ? "1;31"
                     : style == Style::help   ? "1;36"
                     : style == Style::strong ? "1"
                                              : "2";
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

void Console::print(std::string_view text) const {
  if (print_error_ == 0) print_error_ = write_all(STDOUT_FILENO, shown(text, color_out()));
}

void Console::say(std::string_view text) const {
  if (verbosity >= 0) write_all(STDERR_FILENO, shown(text, color_err()));
}

void Console::complain(std::string_view text, std::string_view help) const {
  std::string message = styled(Style::error, "error:", color_err()) + " " + safe_to_show(text) + "\n";
  if (!help.empty()) message += styled(Style::help, "  help:", color_err()) + " " + safe_to_show(help) + "\n";
  write_all(STDERR_FILENO, message);
}

int Console::refuse(const Diagnostics& errors) const {
  constexpr std::size_t kShown = 20;  // a screenful; the rest is seldom another mistake
  std::string text;
  for (std::size_t i = 0; i < errors.size() && i < kShown; ++i) text += painted(render(errors[i]));
  if (errors.size() > kShown) text += std::to_string(errors.size() - kShown) + " more errors\n";
  write_all(STDERR_FILENO, text);
  return kWrong;
}

// A rendered diagnostic: its first line strong, the caret red, the remedy in the colour of help.
std::string Console::painted(const std::string& rendered) const {
  if (!color_err()) return rendered;
  std::string text;
  std::istringstream lines(rendered);
  for (std::string line; std::getline(lines, line);) {
    const bool caret = line.starts_with("      | ") && line.find_first_not_of(" |\t^") == std::string::npos;
    const Style style = text.empty()                   ? Style::strong
                        : caret                        ? Style::error
                        : line.starts_with("  help: ") ? Style::help
                                                       : Style::plain;
    text += styled(style, line, true) + "\n";
  }
  return text;
}

int Console::finish(int code) const {
  if (print_error_ == 0) return code;
  if (print_error_ == EPIPE) return kClosedPipe;  // `orrery … | head`: nobody wants to hear more
  complain(std::string("standard output cannot be written: ") + std::strerror(print_error_));
  return kWrong;
}

}  // namespace orrery::cli
