// gzip (RFC 1952): text written as one member, and read from any number of them.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "orrery/core/error.hpp"

namespace orrery {

// Compresses what is written to it; close() ends the member. `out` gets consecutive parts.
class GzipWriter {
 public:
  explicit GzipWriter(std::function<void(std::string_view)> out);
  ~GzipWriter();
  void write(std::string_view text);
  void close();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

// By its first two bytes, whatever its name.
bool is_gzip(std::string_view bytes);
// `name` stands for the file in errors; at most `most` bytes come out of it.
Result<std::string> gunzip(std::string_view bytes, const std::string& name, std::size_t most);

}  // namespace orrery
