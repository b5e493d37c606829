#include "linear.hpp"
#include "operators.hpp"

namespace orrery::layout {

void split_projection(Splitter& s) {
  row_linear(s, linear_of(s, s.columns(0), s.out_features(0)));
}

}  // namespace orrery::layout
