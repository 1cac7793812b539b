#pragma once

#include <stdexcept>

namespace Sward {

/// A failed or lost collective; the text names the call.
class CommunicationError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A group of ranks over one communication library. Specialised for each space (`MpiSpace`); every specialisation is
/// move-only, caches rank and size, and has the same members:
///   rank(), size()
///   start_all_reduce(space, vector)   sum over ranks in place, asynchronous; the vector belongs to it until wait()
///   progress(), wait()                lets messages advance; returns when all that were started are through
///   all_reduce(space, view)           the same, finished when it returns
///   sum(double), minimum(uint64), maximum(uint64), barrier()   host scalars
template <class CommunicationSpace>
class Communicator;

}  // namespace Sward
