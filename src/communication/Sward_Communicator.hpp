#pragma once

#include <stdexcept>

namespace Sward {

/// A failed or lost collective; the text names the call.
class CommunicationError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A ProcessGroup over one communication library. Specialised for each space (`MpiSpace`, `NcclSpace`); every
/// specialisation is move-only and caches rank and size.
template <class CommunicationSpace>
class Communicator;

}  // namespace Sward
