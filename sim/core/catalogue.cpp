#include "orrery/core/catalogue.hpp"

namespace orrery {

Catalogue& Catalogue::shared() {
  static Catalogue catalogue;
  return catalogue;
}

}  // namespace orrery
