#include "orrery/core/units.hpp"

#include <limits>
#include <string>

namespace orrery {

void throw_overflow(const char* what) {
  throw OverflowError(std::string("a quantity left the range of 64 bits in ") + what);
}

std::int64_t checked_narrow(Int128 value) {
  if (value > std::numeric_limits<std::int64_t>::max() || value < std::numeric_limits<std::int64_t>::min())
    throw_overflow("narrowing");
  return static_cast<std::int64_t>(value);
}

Time transfer_time(Bytes bytes, BytesPerSecond bandwidth) {
  if (bandwidth.value <= 0 || bytes.value < 0) throw_overflow("a transfer over a link without bandwidth");
  const Int128 numerator = static_cast<Int128>(bytes.value) * kPicosecondsPerSecond;
  return {checked_narrow((numerator + bandwidth.value - 1) / bandwidth.value)};
}

Time time_from_seconds(double seconds) {
  const double ps = seconds * 1e12;
  if (!(ps >= 0.0 && ps < 9.2e18)) throw_overflow("a time in seconds");
  const auto floor = static_cast<std::int64_t>(ps);
  return {floor + (static_cast<double>(floor) < ps ? 1 : 0)};
}

}  // namespace orrery
