#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace Sward {

/// Applies a function to items on several threads and hands on the results in the order of the items; see
/// `map_in_order`.
template <class Item, class Result>
class OrderedMap {
 public:
  using Map = std::function<Result(Item&&)>;

  OrderedMap(std::size_t threads, const std::function<Map()>& make_map) : limit_(2 * threads + 1) {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this, map = make_map()](const std::stop_token& stop) { work(map, stop); });
    }
  }

  /// Takes items from `produce` until there are none and hands all results to `consume`, both on the calling thread.
  /// Throws what the function threw for an item, when its turn comes.
  void run(const std::function<std::optional<Item>()>& produce, const std::function<void(Result&&)>& consume) {
    while (true) {
      if (std::optional<Slot> slot = take_finished()) {
        if (slot->error) std::rethrow_exception(slot->error);
        consume(std::move(*slot->result));
      } else if (!ended_) {
        put(produce);
      } else if (slots_.empty()) {
        if (failure_) std::rethrow_exception(failure_);
        return;
      }
    }
  }

 private:
  struct Slot {
    std::optional<Item> item;
    std::optional<Result> result;
    std::exception_ptr error;
    bool is_finished = false;
  };

  /// The result of the oldest item. Empty while there is none and an item can be added, or all is done; else waits.
  std::optional<Slot> take_finished() {
    std::unique_lock lock(mutex_);
    const auto front_is_finished = [&] { return !slots_.empty() && slots_.front().is_finished; };
    if (!front_is_finished() && !slots_.empty() && (ended_ || slots_.size() >= limit_)) {
      finished_.wait(lock, front_is_finished);
    }
    if (!front_is_finished()) return std::nullopt;
    std::optional<Slot> slot(std::move(slots_.front()));
    slots_.pop_front();
    return slot;
  }

  /// What goes wrong here is reported when all items before have been: which error is met first does not depend on the
  /// speed of threads.
  void put(const std::function<std::optional<Item>()>& produce) {
    std::optional<Item> item;
    try {
      item = produce();
    } catch (...) {
      failure_ = std::current_exception();
    }
    ended_ = !item.has_value();
    if (ended_) return;
    const std::lock_guard lock(mutex_);
    slots_.emplace_back().item = std::move(item);
    waiting_.push_back(&slots_.back());
    added_.notify_one();
  }

  void work(const Map& map, const std::stop_token& stop) {
    while (true) {
      Slot* slot = nullptr;
      {
        std::unique_lock lock(mutex_);
        if (!added_.wait(lock, stop, [&] { return !waiting_.empty(); })) return;
        slot = waiting_.front();
        waiting_.pop_front();
      }
      try {
        slot->result = map(std::move(*slot->item));
      } catch (...) {
        slot->error = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      slot->is_finished = true;
      finished_.notify_one();
    }
  }

  std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable_any added_;
  std::condition_variable finished_;
  // References into a deque stay valid while elements come and go at its ends.
  std::deque<Slot> slots_;
  std::deque<Slot*> waiting_;
  bool ended_ = false;
  std::exception_ptr failure_;
  // Last, so that the threads end before what they use does.
  std::vector<std::jthread> threads_;
};

/// Calls `produce` until it returns nothing, applies a function to each item on so many threads, and calls `consume`
/// with the results in the order of the items. `make_map` is called once a thread and returns that thread's function,
/// which may have a state. `produce` and `consume` are called by the caller's thread; at most 2 x threads + 1 items
/// are under way. The first exception, in the order of the items, comes out of here.
template <class Item, class Result>
void map_in_order(std::size_t threads, const std::function<std::optional<Item>()>& produce,
                  const std::function<std::function<Result(Item&&)>()>& make_map,
                  const std::function<void(Result&&)>& consume) {
  OrderedMap<Item, Result>(threads, make_map).run(produce, consume);
}

}  // namespace Sward
