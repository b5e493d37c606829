// What is not a plain file of text is refused before any parser sees it.
#include "core/read_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/utf8.hpp"

namespace orrery {

namespace {

Diagnostic whole_file(const std::string& name, std::string message, std::string help = {}) {
  return {.place = {name}, .path = {}, .message = std::move(message), .help = std::move(help), .source_line = {}};
}

// Reads to the end, one byte over the limit at most.
std::string read_all(int file, std::size_t limit, std::string& text) {
  std::array<char, 1 << 14> buffer;
  while (text.size() <= limit) {
    const ssize_t got = ::read(file, buffer.data(), buffer.size());
    if (got == 0) return {};
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fmt::format("cannot be read: {}", std::strerror(errno));
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return {};
}

}  // namespace

Diagnostics check_text(const std::string& text, const std::string& name, std::size_t limit) {
  if (text.size() > limit) return {whole_file(name, fmt::format("is larger than {} MiB, the limit", limit >> 20))};
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return {whole_file(name, "is UTF-16, it must be UTF-8", "iconv -f UTF-16 -t UTF-8 converts it")};
  int line = 1;
  std::size_t line_start = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const auto c = static_cast<unsigned char>(text[at]);
    const bool control = length == 1 && (c < 0x20 || c == 0x7F) && c != '\n' && c != '\r' && c != '\t';
    if (length == 0 || control) {
      Diagnostic error =
          whole_file(name, control ? fmt::format("control character 0x{:02X}, expected a file of text", c)
                                   : fmt::format("byte 0x{:02X} is not valid UTF-8", c));
      error.place.line = line;
      error.place.column = static_cast<int>(at - line_start) + 1;
      return {error};
    }
    if (c == '\n') {
      ++line;
      line_start = at + 1;
    }
    at += length;
  }
  return {};
}

std::string shown_name(const std::string& path) {
  return path == "-" ? "<stdin>" : path;
}

Result<std::string> read_bytes(const std::string& path, std::size_t limit) {
  // O_NONBLOCK: a FIFO without a writer must not hang us before fstat() can refuse it.
  const bool standard_input = path == "-";
  const int file = standard_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const std::string name = shown_name(path);
  if (file < 0) return whole_file(name, fmt::format("cannot be opened: {}", std::strerror(errno)));
  struct stat status {};
  std::string problem, text;
  if (!standard_input && ::fstat(file, &status) == 0 && !S_ISREG(status.st_mode))
    problem = S_ISDIR(status.st_mode) ? "is a directory, it must be a file" : "is not a regular file";
  if (problem.empty()) problem = read_all(file, limit, text);
  if (!standard_input) ::close(file);
  if (!problem.empty()) return whole_file(name, problem);
  if (text.size() > limit) return whole_file(name, fmt::format("is larger than {} MiB, the limit", limit >> 20));
  return text;
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  Result<std::string> text = read_bytes(path, limit);
  if (!text.ok()) return text;
  if (Diagnostics errors = check_text(*text, shown_name(path), limit); !errors.empty()) return errors;
  return text;
}

}  // namespace orrery
