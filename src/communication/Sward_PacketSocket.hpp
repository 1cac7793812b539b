#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace Sward {

/// What ranks tell each other about their state; always of the same size.
struct Packet {
  /// What a packet is for.
  enum class Kind : std::uint32_t {
    hello,    ///< the first one of a rank: its number is `begun`, the text is the password
    report,   ///< still there
    goodbye,  ///< the end of the connection is no loss
    end       ///< the text says why all ranks are to end
  };
  Kind kind = Kind::report;
  std::uint64_t begun = 0;     ///< as of CollectiveStatus
  std::int64_t waited_ms = 0;  ///< for the oldest collective
  std::string text;            ///< its name; what does not fit is cut off
};

/// A TCP connection that carries packets, without ever waiting.
class PacketSocket {
 public:
  explicit PacketSocket(int descriptor = -1) : descriptor_(descriptor) {}
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket(PacketSocket&& other) noexcept;
  PacketSocket& operator=(const PacketSocket&) = delete;
  PacketSocket& operator=(PacketSocket&& other) noexcept;
  ~PacketSocket();

  int descriptor() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }
  /// False when the peer is gone. A packet that does not fit into what the system buffers is dropped.
  bool send(const Packet& packet);
  /// The next packet that has come whole.
  std::optional<Packet> receive();
  /// Whether the peer has closed the connection, or is gone. Known after `receive` has returned nothing.
  bool is_at_end() const { return at_end_; }
  void close();

 private:
  int descriptor_;
  std::string received_;
  bool at_end_ = false;
};

/// Waits for connections on a free port of all interfaces.
class PacketListener {
 public:
  /// Throws CommunicationError.
  PacketListener();
  PacketListener(const PacketListener&) = delete;
  PacketListener& operator=(const PacketListener&) = delete;
  ~PacketListener();

  /// "port address address ...", loopback last.
  std::string addresses() const;
  /// The next connection within so long, if there is one.
  std::optional<PacketSocket> accept(std::chrono::milliseconds patience);

 private:
  int descriptor_;
};

/// Connects to the first of a listener's addresses that answers within so long. Throws CommunicationError when none
/// does.
PacketSocket connect_to(const std::string& addresses, std::chrono::milliseconds patience);

}  // namespace Sward
