// Feeds a fuzz target without a fuzzer: every file of a corpus as it is, then seeded mutations of them.
//   replay CORPUS [MUTATIONS [SEED]]
// A crash leaves its input in ./crash.bin.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "orrery/core/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace std::string_literals;

std::string current;

extern "C" void save_input(int signal) {
  if (std::FILE* file = std::fopen("crash.bin", "wb")) {
    std::fwrite(current.data(), 1, current.size(), file);
    std::fclose(file);
  }
  std::fputs("replay: the input is in crash.bin\n", stderr);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void feed(std::string input) {
  current = std::move(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current.data()), current.size());
}

std::vector<std::string> read_corpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    corpus.push_back(text.str());
  }
  return corpus;
}

// Cuts, doubles, swaps in a part of another file, or writes a byte that means something in YAML.
std::string mutate(std::string text, const std::vector<std::string>& corpus, orrery::Random& random) {
  static const std::string kBytes = ":-[]{},#&*!|>'\"%@`~<. \n\t019eENuU_x\\\0\xC3\xFF"s;  // with its NUL
  for (std::uint64_t n = random.below(4); n != ~std::uint64_t{0}; --n) {
    const std::size_t at = random.below(text.size() + 1),
                      length = random.below(std::min<std::size_t>(text.size() - at, 20) + 1);
    switch (random.below(5)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, std::string(text.substr(at, length)));
        break;
      case 2:
        text.insert(at, 1, kBytes[random.below(kBytes.size())]);
        break;
      case 3:
        if (at < text.size()) text[at] = kBytes[random.below(kBytes.size())];
        break;
      default: {
        const std::string& other = corpus[random.below(corpus.size())];
        const std::size_t from = random.below(other.size() + 1);
        text.insert(at, other.substr(from, random.below(40)));
      }
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fputs("usage: replay CORPUS [MUTATIONS [SEED]]\n", stderr), 2;
  const std::vector<std::string> corpus = read_corpus(argv[1]);
  if (corpus.empty()) return std::fputs("replay: the corpus is empty\n", stderr), 2;
  const long mutations = argc > 2 ? std::atol(argv[2]) : 0;
  orrery::Random random(argc > 3 ? static_cast<std::uint64_t>(std::atoll(argv[3])) : 1);
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE}) std::signal(signal, save_input);
  for (const std::string& input : corpus) feed(input);
  for (long i = 0; i < mutations; ++i) feed(mutate(corpus[random.below(corpus.size())], corpus, random));
  std::printf("%zu files and %ld mutations replayed\n", corpus.size(), mutations);
  return 0;
}
