#include "orrery/core/file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace orrery::file_test {

namespace fs = std::filesystem;

namespace {

struct Directory {
  fs::path path = fs::temp_directory_path() / ("orrery_file_test_" + std::to_string(::getpid()));
  Directory() {
    fs::remove_all(path);
    fs::create_directory(path);
  }
  ~Directory() { fs::remove_all(path); }
  int entries() const {
    return static_cast<int>(std::distance(fs::directory_iterator(path), fs::directory_iterator{}));
  }
};

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("a file is complete or not there") {
  const Directory directory;
  const std::string path = directory.path / "out.json";
  {
    Result<OutputFile> file = OutputFile::create(path, false);
    REQUIRE(file.ok());
    file->write("half");
    CHECK_FALSE(fs::exists(path));
  }
  CHECK(directory.entries() == 0);  // no commit: nothing is left
  CHECK(write_file(path, "whole\n", false).empty());
  CHECK(content(path) == "whole\n");
  CHECK(directory.entries() == 1);
}

TEST_CASE("an existing file is replaced only with force") {
  const Directory directory;
  const std::string path = directory.path / "out.json";
  CHECK(write_file(path, "first", false).empty());
  CHECK(render(write_file(path, "second", false)) == path + ": exists already\n  help: --force overwrites it\n");
  CHECK(content(path) == "first");
  CHECK(write_file(path, "third", true).empty());
  CHECK(content(path) == "third");

  // A file that appears between create() and commit() is not replaced either.
  const std::string late = directory.path / "late";
  Result<OutputFile> file = OutputFile::create(late, false);
  std::ofstream(late) << "somebody else's";
  CHECK(render(file->commit()) == late + ": exists already\n  help: --force overwrites it\n");
  CHECK(content(late) == "somebody else's");
}

TEST_CASE("full disks, closed pipes and places without a file are errors") {
  CHECK(render(write_file("/dev/full", "text", false)) == "/dev/full: cannot be written: No space left on device\n");
  CHECK(write_file("/dev/null", "text", false).empty());
  CHECK(render(write_file("/nonexistent/file", "text", false)) ==
        "/nonexistent/file: cannot be written: No such file or directory\n");
  CHECK(render(write_file("/tmp", "text", true)) == "/tmp: is a directory, it must be a file\n");

  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ::close(ends[0]);
  std::signal(SIGPIPE, SIG_IGN);
  const std::string pipe = "/dev/fd/" + std::to_string(ends[1]);
  CHECK(render(write_file(pipe, "text", false)).find("cannot be written: nobody reads it any more (closed pipe)") !=
        std::string::npos);
  ::close(ends[1]);
}

TEST_CASE("a new file has the usual mode, not that of a temporary file") {
  const Directory directory;
  const std::string path = directory.path / "out";
  const mode_t mask = ::umask(022);
  CHECK(write_file(path, "x", false).empty());
  ::umask(mask);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0644);
}

TEST_CASE("a signal handler can remove what is not finished") {
  const Directory directory;
  Result<OutputFile> half = OutputFile::create(directory.path / "half", false);
  half->write("half");
  CHECK(write_file(directory.path / "whole", "whole", false).empty());
  CHECK(directory.entries() == 2);
  remove_unfinished_files();
  CHECK(directory.entries() == 1);
  CHECK(content(directory.path / "whole") == "whole");
}

TEST_CASE("no signal that ends the program leaves a temporary file") {
  const Directory directory;
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU}) {
    CAPTURE(signal);
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(signal, SIG_DFL);  // a test under nohup ignores SIGHUP
      end_cleanly_on_signals();
      Result<OutputFile> out = OutputFile::create(directory.path / "out.json", false);
      out->write(std::string(1 << 20, 'x'));
      ::raise(signal);
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 128 + signal);
    CHECK(directory.entries() == 0);
  }
}

TEST_CASE("a signal that is ignored from outside stays ignored") {
  const Directory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGHUP, SIG_IGN);
    end_cleanly_on_signals();
    ::raise(SIGHUP);
    ::_exit(7);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 7);
}

}  // namespace orrery::file_test
