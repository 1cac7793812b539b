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

template <class T>
constexpr ElementType element_type() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, BFloat16>,
                "Sward: messages are of float, double or BFloat16");
  if constexpr (std::is_same_v<T, float>) return ElementType::float32;
  if constexpr (std::is_same_v<T, double>) return ElementType::float64;
  return ElementType::bfloat16;
}

constexpr std::size_t size_of(ElementType type) {
  return type == ElementType::float64 ? 8 : type == ElementType::float32 ? 4 : 2;
}

/// Ranks that work together, whatever library carries their messages: what optimizer, trainer and evaluation know of
/// communication. The kinds of it are `Communicator<MpiSpace>` and `Communicator<NcclSpace>`.
///
/// Messages lie where the default execution space works, or in host memory. All ranks start the same messages in the
/// same order. A call that fails throws CommunicationError.
class ProcessGroup {
 public:
  using Space = Kokkos::DefaultExecutionSpace;

  virtual ~ProcessGroup() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Starts the in-place sum over ranks of a contiguous view, behind the work that `space` holds; the view belongs to
  /// the message until `wait`. `what` names the message where a peer is lost.
  template <class View>
  void start_all_reduce(const Space& space, const View& view, const std::string& what = "a message") {
    start(space, message_of(view, Collective::sum), what);
  }

  /// The same for an exchange: a contiguous matrix has a row for each rank, which fills its own and finds the others
  /// filled.
  template <class View>
  void start_all_gather(const Space& space, const View& rows, const std::string& what = "a message") {
    static_assert(View::rank() == 2, "Sward::ProcessGroup: what is gathered are the rows of a matrix");
    if (rows.extent(0) != static_cast<std::size_t>(size()))
      throw std::invalid_argument("Sward::ProcessGroup::start_all_gather: " + std::to_string(rows.extent(0)) +
                                  " rows, wanted one for each of " + std::to_string(size()) + " ranks");
    start(space, message_of(rows, Collective::gathering), what);
  }

  /// Work that is queued on `space` from now on finds the sums of all messages that were started.
  virtual void wait(const Space& space) = 0;
  /// Lets messages advance, where they do so only inside of calls, and notes in the log which are through. To be called
  /// after each fence behind a `wait`.
  virtual void progress() = 0;

  /// Both.
  template <class View>
  void all_reduce(const Space& space, const View& view, const std::string& what = "a message") {
    start_all_reduce(space, view, what);
    wait(space);
  }

  template <class View>
  void all_gather(const Space& space, const View& rows, const std::string& what = "a message") {
    start_all_gather(space, rows, what);
    wait(space);
  }

  // Of one number a rank, known to all ranks when these return.
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
  enum class Collective { sum, gathering };
  struct Message {
    Collective collective;
    void* data;
    std::size_t count;  ///< of all ranks together in a gathering
    ElementType type;
    bool on_host;

    std::size_t bytes() const { return count * size_of(type); }
  };
  virtual void start(const Space& space, const Message& message, const std::string& what) = 0;

 private:
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
