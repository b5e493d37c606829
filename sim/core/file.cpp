#include "orrery/core/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace orrery {

namespace {

Diagnostic about(const std::string& path, std::string message, std::string help = {}) {
  Diagnostic d;
  d.place.file = path == "-" ? "<stdout>" : path;
  d.message = std::move(message);
  d.help = std::move(help);
  return d;
}

Diagnostic exists_already(const std::string& path) {
  return about(path, "exists already", "--force overwrites it");
}

// mkstemp() makes files that only their owner reads; ours get the mode any new file has.
void give_usual_mode(int file) {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(file, 0666 & ~mask);
}

// Temporary files that a signal handler must remove. A slot is written before and after the file is there, never in
// between.
constexpr std::size_t kUnfinished = 64;
std::array<std::atomic<char*>, kUnfinished> unfinished{};
static_assert(std::atomic<char*>::is_always_lock_free);

void remember(const std::string& path) {
  char* copy = ::strdup(path.c_str());
  for (std::atomic<char*>& slot : unfinished) {
    char* empty = nullptr;
    if (slot.compare_exchange_strong(empty, copy)) return;
  }
  std::free(copy);  // more files at once than slots: a signal may leave this one behind
}

void forget(const std::string& path) {
  for (std::atomic<char*>& slot : unfinished) {
    char* name = slot.load();
    if (name && path == name && slot.compare_exchange_strong(name, nullptr)) {
      std::free(name);
      return;
    }
  }
}

}  // namespace

void remove_unfinished_files() noexcept {
  for (std::atomic<char*>& slot : unfinished)
    if (const char* name = slot.load()) ::unlink(name);
}

namespace {

constexpr std::array kEnding{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU};

extern "C" void end_cleanly(int signal) {
  remove_unfinished_files();
  ::_exit(128 + signal);
}

// While it lives, no signal ends the program between a file's beginning and its being remembered.
class SignalsWait {
 public:
  SignalsWait() {
    sigset_t ending;
    ::sigemptyset(&ending);
    for (const int signal : kEnding) ::sigaddset(&ending, signal);
    ::pthread_sigmask(SIG_BLOCK, &ending, &before_);
  }
  ~SignalsWait() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

void end_cleanly_on_signals() noexcept {
  for (const int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
  for (const int signal : kEnding)
    if (std::signal(signal, end_cleanly) == SIG_IGN && signal == SIGHUP) std::signal(signal, SIG_IGN);
}

Result<OutputFile> OutputFile::create(const std::string& path, bool force) {
  OutputFile out;
  out.path_ = path;
  out.force_ = force;
  if (path == "-") {
    out.file_ = STDOUT_FILENO;
    return out;
  }
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) return about(path, "is a directory, it must be a file");
  if (exists && S_ISREG(status.st_mode) && !force) return exists_already(path);
  if (exists && !S_ISREG(status.st_mode)) {
    out.file_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    out.temporary_ = path + ".XXXXXX";
    const SignalsWait wait;
    out.file_ = ::mkstemp(out.temporary_.data());
    if (out.file_ < 0) {
      out.temporary_.clear();
    } else {
      remember(out.temporary_);
      give_usual_mode(out.file_);
    }
  }
  if (out.file_ < 0) return about(path, std::string("cannot be written: ") + std::strerror(errno));
  return out;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      force_(other.force_),
      error_(other.error_),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      buffer_(std::move(other.buffer_)) {}

OutputFile::~OutputFile() {
  if (file_ > STDERR_FILENO) ::close(file_);
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  forget(temporary_);
}

void OutputFile::write(std::string_view text) {
  constexpr std::size_t kBuffer = 1 << 16;
  buffer_ += text;
  if (buffer_.size() >= kBuffer) flush();
}

void OutputFile::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && error_ == 0) {
    const ssize_t written = ::write(file_, rest.data(), rest.size());
    if (written >= 0)
      rest.remove_prefix(static_cast<std::size_t>(written));
    else if (errno != EINTR)
      error_ = errno;
  }
  buffer_.clear();
}

Diagnostics OutputFile::fail(int error) const {
  const char* what = error == EPIPE ? "nobody reads it any more (closed pipe)" : std::strerror(error);
  return {about(path_, std::string("cannot be written: ") + what)};
}

Diagnostics OutputFile::commit() {
  flush();
  if (error_ != 0) return fail(error_);
  if (file_ == STDOUT_FILENO) return {};
  if (!temporary_.empty() && ::fsync(file_) != 0) return fail(errno);
  if (::close(std::exchange(file_, -1)) != 0) return fail(errno);
  if (temporary_.empty()) return {};
  if (force_) {
    return rename_into_place();
  }
  // link() never replaces a file that appeared meanwhile; where a file system has no links, rename() must do.
  if (::link(temporary_.c_str(), path_.c_str()) == 0) return {};  // the temporary name goes with the destructor
  if (errno == EEXIST) return {exists_already(path_)};
  return rename_into_place();
}

Diagnostics OutputFile::rename_into_place() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return fail(errno);
  forget(temporary_);
  temporary_.clear();
  return {};
}

bool is_standard_output(const std::string& path) {
  return path == "-" || path == "/dev/stdout" || path == "/dev/fd/1" || path == "/proc/self/fd/1";
}

Diagnostics write_file(const std::string& path, std::string_view text, bool force) {
  Result<OutputFile> file = OutputFile::create(path, force);
  if (!file) return file.errors();
  file->write(text);
  return file->commit();
}

}  // namespace orrery
