#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "Sward_BFloat16.hpp"
#include "Sward_CollectiveLog.hpp"

namespace Sward {

/// What the elements of a message are.
enum class ElementType { float32, float64, bfloat16 };

/// Of messages of T, which is float, double or BFloat16.
template <class T>
constexpr ElementType element_type() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, BFloat16>,
                "Sward: messages are of float, double or BFloat16");
  if constexpr (std::is_same_v<T, float>) return ElementType::float32;
  if constexpr (std::is_same_v<T, double>) return ElementType::float64;
  return ElementType::bfloat16;
}

/// In bytes.
constexpr std::size_t size_of(ElementType type) {
  return type == ElementType::float64 ? 8 : type == ElementType::float32 ? 4 : 2;
}

/// Ranks that work together, whatever library carries their messages: what optimizer, trainer and evaluation know of
/// communication. The kinds of it are `Communicator<MpiSpace>`, `Communicator<NcclSpace>` and `CallerGroup`.
///
/// Messages lie where the default execution space works, or in host memory. All ranks start the same messages in the
/// same order. A call that fails throws CommunicationError.
class ProcessGroup {
 public:
  using Space = Kokkos::DefaultExecutionSpace;

  virtual ~ProcessGroup() = default;

  /// The number of this rank, 0 to size() - 1, and how many there are.
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// The number of a message that was started. Later ones have larger numbers.
  using Ticket = std::uint64_t;

  /// Starts the in-place sum over ranks of a contiguous view, behind the work that `space` holds; the view belongs to
  /// the message until `wait`. `what` names the message where a peer is lost.
  template <class View>
  Ticket start_all_reduce(const Space& space, const View& view, const std::string& what = "a message") {
    return start(space, message_of(view, Collective::sum), what);
  }

  /// The same for an exchange: a contiguous matrix has a row for each rank, which fills its own and finds the others
  /// filled.
  template <class View>
  Ticket start_all_gather(const Space& space, const View& rows, const std::string& what = "a message") {
    return start_all_gather(space, Kokkos::subview(rows, rank(), Kokkos::ALL), rows, what);
  }
  /// Each rank gives its row as `own`.
  template <class Own, class View>
  Ticket start_all_gather(const Space& space, const Own& own, const View& rows, const std::string& what) {
    require_row_each("start_all_gather", rows.extent(0));
    return start(space, with_own(message_of(rows, Collective::gathering), own, rows), what);
  }

  /// The same for sums that are shared out: a contiguous matrix has a row for each rank, which finds the sum of its own
  /// over ranks in `own`, a vector as long; the matrix is lost.
  template <class Own, class View>
  Ticket start_reduce_scatter(const Space& space, const View& rows, const Own& own,
                              const std::string& what = "a message") {
    require_row_each("start_reduce_scatter", rows.extent(0));
    return start(space, with_own(message_of(rows, Collective::scattered_sum), own, rows), what);
  }

  /// Work that is queued on `space` from now on finds the results of all messages that were started.
  virtual void wait(const Space& space) = 0;
  /// The same of one message, which may be through already; the messages before it are through then, too.
  virtual void wait(const Space& space, Ticket ticket) = 0;
  /// Lets messages advance, where they do so only inside of calls, and notes in the log which are through. To be called
  /// after each fence behind a `wait`.
  virtual void progress() = 0;

  /// Both.
  template <class View>
  void all_reduce(const Space& space, const View& view, const std::string& what = "a message") {
    wait(space, start_all_reduce(space, view, what));
  }

  /// The same for an exchange.
  template <class View>
  void all_gather(const Space& space, const View& rows, const std::string& what = "a message") {
    wait(space, start_all_gather(space, rows, what));
  }

  /// Of one number a rank, known to all ranks when these return; a barrier is of none.
  virtual double sum(double value) const = 0;
  virtual std::uint64_t minimum(std::uint64_t value) const = 0;
  virtual std::uint64_t maximum(std::uint64_t value) const = 0;
  virtual void barrier() const = 0;
  /// The bits that are set on any rank; all give as many words.
  virtual std::vector<std::uint64_t> merge(const std::vector<std::uint64_t>& bits) const = 0;
  /// The text that rank `root` gives.
  virtual std::string broadcast(const std::string& text, int root) const = 0;
  /// Hands what each rank gives, as many bytes as it likes, to take(rank, bytes) on rank 0, in the order of the ranks.
  /// The bytes are there during the call only.
  using Take = std::function<void(int, std::span<const std::byte>)>;
  virtual void gather_to_root(std::span<const std::byte> bytes, const Take& take) const = 0;

  /// What went wrong in the background since the group was made, or an empty text. From any thread.
  virtual std::string asynchronous_error() const { return {}; }
  /// What this rank has begun and finished, for whoever watches over the ranks.
  virtual CollectiveLog& log() const = 0;

 protected:
  /// What becomes of a message.
  enum class Collective { sum, gathering, scattered_sum };
  /// What there is to send, in memory that has to stay until it is through.
  struct Message {
    Collective collective;
    void* data;
    std::size_t count;  ///< of all ranks together
    ElementType type;
    bool on_host;
    void* own = nullptr;  ///< what this rank gives to a gathering or gets of a scattered sum, as large as that of any

    std::size_t bytes() const { return count * size_of(type); }
  };
  /// What one rank has of a message for each.
  std::size_t own_count(const Message& message) const { return message.count / static_cast<std::size_t>(size()); }
  std::size_t own_bytes(const Message& message) const { return message.bytes() / static_cast<std::size_t>(size()); }
  /// Where a rank's row of it lies.
  std::byte* own_row(const Message& message) const {
    return static_cast<std::byte*>(message.data) + static_cast<std::size_t>(rank()) * own_bytes(message);
  }
  virtual Ticket start(const Space& space, const Message& message, const std::string& what) = 0;

 private:
  void require_row_each(const char* call, std::size_t rows) const {
    if (rows != static_cast<std::size_t>(size()))
      throw std::invalid_argument("Sward::ProcessGroup::" + std::string(call) + ": " + std::to_string(rows) +
                                  " rows, wanted one for each of " + std::to_string(size()) + " ranks");
  }

  template <class Own, class View>
  static Message with_own(Message message, const Own& own, const View& rows) {
    static_assert(View::rank() == 2, "Sward::ProcessGroup: what is gathered or scattered are the rows of a matrix");
    static_assert(std::is_same_v<typename Own::non_const_value_type, typename View::non_const_value_type>,
                  "Sward::ProcessGroup: a rank's own row has the type of the rows");
    if (own.extent(0) != rows.extent(1))
      throw std::invalid_argument("Sward::ProcessGroup: a row of " + std::to_string(own.extent(0)) +
                                  " elements, wanted " + std::to_string(rows.extent(1)));
    message.own = own.data();
    return message;
  }

  template <class View>
  static Message message_of(const View& view, Collective collective) {
    using T = typename View::non_const_value_type;
    static_assert(std::is_same_v<typename View::array_layout, Kokkos::LayoutRight>,
                  "Sward::ProcessGroup: messages must be contiguous, in rows");
    constexpr bool on_host = Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename View::memory_space>::accessible;
    return {collective, view.data(), view.span(), element_type<T>(), on_host};
  }
};

}  // namespace Sward
