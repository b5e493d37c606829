#include "progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "orrery/core/show.hpp"

namespace orrery::cli {
namespace {

using namespace std::chrono_literals;

void write_line(const std::string& text) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

std::size_t columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79u;
}

std::string duration(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds + 0.5);
  return s < 120 ? fmt::format("{} s", s) : fmt::format("{} min", (s + 30) / 60);
}

}  // namespace

Progress::Progress(const Console& console, std::string what)
    : what_(std::move(what)),
      on_(console.verbosity >= 0 && ::isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      last_(begin_) {}

void Progress::update(std::size_t done, std::size_t of, std::string_view units) {
  if (!on_) return;
  const std::lock_guard lock(mutex_);
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin_).count();
  const double rate = elapsed > 0 ? static_cast<double>(done) / elapsed : 0;
  std::string line = fmt::format("{}: {} of {} {}", what_, done, of, units);
  if (rate > 0)
    line += fmt::format(", {:.3g}/s, {} left", rate, duration(static_cast<double>(of - std::min(done, of)) / rate));
  show(line, false);
}

void Progress::phase(std::string_view name) {
  if (!on_) return;
  const std::lock_guard lock(mutex_);
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin_).count();
  show(fmt::format("{}: {}, {}", what_, name, duration(elapsed)), true);
}

// A phase is shown when it begins, for nothing is heard of it until the next; bytes beyond the width would wrap.
void Progress::show(const std::string& line, bool at_once) {
  const Clock::time_point now = Clock::now();
  if (!at_once && (now - begin_ < 500ms || now - last_ < 100ms)) return;
  last_ = now;
  shown_ = true;
  write_line("\r" + safe_to_show(line, Shown::one_line).substr(0, columns()) + "\x1b[K");
}

void Progress::clear() {
  if (shown_) write_line("\r\x1b[K");
  shown_ = false;
}

}  // namespace orrery::cli
