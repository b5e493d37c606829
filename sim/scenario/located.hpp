// Errors at their places in what the scenario was read from; numbers that leave their range are such errors.
#pragma once
#include <type_traits>

#include "orrery/scenario/scenario.hpp"
#include "range.hpp"

namespace orrery::scenario {

// What `act` gives: a Result, or Diagnostics.
template <class Act>
auto located(const Scenario& s, Act act) -> decltype(act()) {
  const auto place = [&](Diagnostics errors) {
    if (s.source) s.source->locate(errors);
    return errors;
  };
  try {
    auto result = act();
    if constexpr (std::is_same_v<decltype(result), Diagnostics>)
      return place(std::move(result));
    else
      return result.ok() ? std::move(result) : decltype(result)(place(result.errors()));
  } catch (const OverflowError& error) {
    return place({out_of_range(s, error.what())});
  }
}

}  // namespace orrery::scenario
