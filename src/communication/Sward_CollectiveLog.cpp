#include "Sward_CollectiveLog.hpp"

namespace Sward {

std::uint64_t CollectiveLog::begin(const std::string& what) {
  const std::lock_guard lock(mutex_);
  under_way_.push_back({++begun_, what});
  return begun_;
}

void CollectiveLog::finish(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  std::erase_if(under_way_, [&](const Entry& entry) { return entry.number == number; });
}

CollectiveStatus CollectiveLog::status() const {
  const std::lock_guard lock(mutex_);
  if (under_way_.empty()) return {begun_, 0, ""};
  return {begun_, under_way_.front().number, under_way_.front().what};
}

}  // namespace Sward
