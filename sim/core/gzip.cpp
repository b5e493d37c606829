#include "orrery/core/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <utility>

namespace orrery {
namespace {

constexpr int kGzip = 15 + 16;  // window of 32 KiB, gzip's header and trailer (zlib.h, deflateInit2)
constexpr std::size_t kPart = 1 << 16;

Diagnostic broken(const std::string& name, std::string message) {
  Diagnostic d;
  d.place.file = name;
  d.message = std::move(message);
  return d;
}

}  // namespace

struct GzipWriter::Stream {
  z_stream z{};
  std::function<void(std::string_view)> out;
  std::array<char, kPart> buffer{};

  void put(std::string_view text, int flush) {
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    do {
      z.next_out = reinterpret_cast<Bytef*>(buffer.data());
      z.avail_out = kPart;
      check(::deflate(&z, flush) != Z_STREAM_ERROR, "zlib: deflate");
      out({buffer.data(), kPart - z.avail_out});
    } while (z.avail_out == 0);
  }
};

GzipWriter::GzipWriter(std::function<void(std::string_view)> out) : stream_(std::make_unique<Stream>()) {
  stream_->out = std::move(out);
  check(::deflateInit2(&stream_->z, 6, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib: deflateInit2");
}

GzipWriter::~GzipWriter() {
  ::deflateEnd(&stream_->z);
}

void GzipWriter::write(std::string_view text) {
  constexpr std::size_t kMost = 1 << 30;  // zlib counts in 32 bits
  while (!text.empty()) {
    stream_->put(text.substr(0, kMost), Z_NO_FLUSH);
    text.remove_prefix(std::min(kMost, text.size()));
  }
}

void GzipWriter::close() {
  stream_->put({}, Z_FINISH);
}

bool is_gzip(std::string_view bytes) {
  return bytes.starts_with("\x1f\x8b");
}

Result<std::string> gunzip(std::string_view bytes, const std::string& name, std::size_t most) {
  std::string text;
  z_stream z{};
  check(::inflateInit2(&z, kGzip) == Z_OK, "zlib: inflateInit2");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&z, ::inflateEnd);
  std::array<char, kPart> buffer{};
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  bool ended = false;
  while (!ended || z.avail_in > 0) {
    if (ended) ::inflateReset(&z);  // another member
    z.next_out = reinterpret_cast<Bytef*>(buffer.data());
    z.avail_out = kPart;
    const int code = ::inflate(&z, Z_NO_FLUSH);
    if (code == Z_BUF_ERROR || (code == Z_OK && z.avail_in == 0 && z.avail_out > 0))
      return broken(name, "the gzip ends before its end: the file is truncated; write or copy it again");
    if (code != Z_OK && code != Z_STREAM_END) return broken(name, "is damaged: no valid gzip");
    text.append(buffer.data(), kPart - z.avail_out);
    if (text.size() > most) return broken(name, "unpacks to more than " + std::to_string(most >> 20) + " MiB");
    ended = code == Z_STREAM_END;
  }
  return text;
}

}  // namespace orrery
