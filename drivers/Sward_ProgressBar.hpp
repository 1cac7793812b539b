#pragma once

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "Sward_Format.hpp"

namespace Sward {

/// One line on standard error that shows how far a program has come; nothing where that is no terminal.
class ProgressBar {
 public:
  /// `total` is the number of bytes to come, 0 where it is not known.
  ProgressBar(bool is_wanted, std::uint64_t total)
      : is_shown_(is_wanted && ::isatty(STDERR_FILENO) == 1), total_(total) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Draws the line again when the last time is long enough ago.
  void update(std::uint64_t bytes) {
    if (!is_shown_) return;
    const Clock::time_point now = Clock::now();
    if (now - drawn_ < std::chrono::milliseconds(200)) return;
    drawn_ = now;
    is_drawn_ = true;
    std::fputs(("\r\033[K" + line(bytes, std::chrono::duration<double>(now - start_).count())).c_str(), stderr);
  }

  /// Takes the line away, before something else is printed.
  void clear() {
    if (is_drawn_) std::fputs("\r\033[K", stderr);
    is_drawn_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::string line(std::uint64_t bytes, double seconds) const {
    const double rate = static_cast<double>(bytes) / seconds;
    const std::string speed = fmt::format("{:.1f} MB/s", rate * 1e-6);
    if (total_ == 0 || bytes > total_) return fmt::format("{}  {}", bytes_text(bytes), speed);
    return fmt::format("{:3.0f}%  {} of {}  {}  left {}",
                       100.0 * static_cast<double>(bytes) / static_cast<double>(total_), bytes_text(bytes),
                       bytes_text(total_), speed,
                       duration_text(bytes == 0 ? 0.0 : static_cast<double>(total_ - bytes) / rate));
  }

  bool is_shown_;
  std::uint64_t total_;
  bool is_drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_ = Clock::now();
};

}  // namespace Sward
