// Files out: complete or not there at all, and never over somebody's work.
#pragma once
#include <string>
#include <string_view>

#include "orrery/core/error.hpp"

namespace orrery {

// Writes to a temporary file beside the target; commit() syncs it and gives it its name. Destroyed without commit(), it
// leaves nothing behind. "-" is standard output; a device or pipe is written directly. A full disk, a closed pipe and
// the like are errors of commit(). The program ignores SIGPIPE.
class OutputFile {
 public:
  // force: an existing file may be replaced.
  static Result<OutputFile> create(const std::string& path, bool force);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  void write(std::string_view text);
  [[nodiscard]] Diagnostics commit();

 private:
  OutputFile() = default;
  void flush();
  Diagnostics fail(int error) const;
  Diagnostics rename_into_place();

  int file_ = -1;
  bool force_ = false;
  int error_ = 0;  // errno of the first write that failed
  std::string path_;
  std::string temporary_;  // empty: written directly
  std::string buffer_;
};

// Removes the temporary files of all OutputFiles; safe in a signal handler that then ends the program.
void remove_unfinished_files() noexcept;

// The program ends with 128 + SIGNAL and without temporary files at SIGHUP (unless it is ignored: nohup), SIGINT,
// SIGQUIT, SIGTERM and SIGXCPU; a closed pipe or a file beyond the limit (SIGPIPE, SIGXFSZ) is an error of the write.
// For programs; a library leaves signals alone.
void end_cleanly_on_signals() noexcept;

// "-", or a name that the system has for it (/dev/stdout).
bool is_standard_output(const std::string& path);

[[nodiscard]] Diagnostics write_file(const std::string& path, std::string_view text, bool force);

}  // namespace orrery
