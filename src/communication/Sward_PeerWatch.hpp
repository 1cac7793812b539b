#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "Sward_PacketSocket.hpp"
#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// The loss of a peer, as it is told to the program of a rank.
struct PeerLoss {
  std::string text;    ///< one line: the rank, what happened to it, and the collective that the others wait for
  bool is_to_be_told;  ///< whether this rank is the one that should print it
};

/// Notices when a rank has ended, has been stopped, or does not come to a collective for longer than the time-out,
/// which neither MPI nor NCCL do: their calls wait for ever.
///
/// A thread on each rank tells rank 0 over TCP how many collectives it has begun and which one it waits for; rank 0
/// judges and tells all. Where rank 0 itself is lost, each of the others notices.
class PeerWatch {
 public:
  /// Collective. `on_loss` is called by the watching thread, once, and had better end the process: the thread that
  /// computes may never return from its collective. Throws CommunicationError when the ranks do not reach each other.
  PeerWatch(const ProcessGroup& group, std::chrono::milliseconds timeout, std::function<void(const PeerLoss&)> on_loss);
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;
  /// Collective; ends the watch on this rank.
  ~PeerWatch();

 private:
  using Clock = std::chrono::steady_clock;

  /// What is known of a rank, the own one too.
  struct Peer {
    PacketSocket socket;  ///< on other ranks than 0 that of rank 0 alone, in its place
    Packet report;
    std::chrono::milliseconds silent{};  ///< since its last packet
    bool has_left = false;               ///< it said goodbye
  };

  void accept_all(PacketListener& listener, const std::string& password);
  void join(const std::string& meeting_point);

  void watch();
  /// Waits for packets, for the end of this watch, or for one period.
  void wait_for_packets();
  void read_packets(int rank);
  /// After so much time.
  void judge(std::chrono::milliseconds elapsed);
  void report_own_state(std::chrono::milliseconds elapsed);
  void judge_waiting();
  /// What the ranks but the lost one wait for.
  std::string waited_for(int lost) const;
  void lose(int rank, const std::string& why);
  void end(const PeerLoss& loss);

  const ProcessGroup& group_;
  std::chrono::milliseconds timeout_;
  std::chrono::milliseconds period_;
  std::function<void(const PeerLoss&)> on_loss_;
  std::vector<Peer> peers_;
  std::uint64_t oldest_ = 0;  ///< collective that this rank waits for
  bool has_ended_ = false;
  int wake_[2] = {-1, -1};  ///< a pipe that ends the watch
  std::thread thread_;
};

}  // namespace Sward
