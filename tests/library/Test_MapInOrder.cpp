#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <random>
#include <set>

#include "Sward_MapInOrder.hpp"

namespace Sward::Test {
namespace {

/// Maps 0 to count - 1 to their squares, and takes random times for it; fails at `bad`, or at the end.
std::vector<int> squares(std::size_t threads, int count, int bad = -1, bool ends_badly = false) {
  std::vector<int> results;
  std::atomic<int> under_way = 0;
  int next = 0;
  const auto produce = [&]() -> std::optional<int> {
    if (next == count && ends_badly) throw std::runtime_error("at the end");
    if (next == count) return std::nullopt;
    EXPECT_LE(++under_way, static_cast<int>(2 * threads + 1));
    return next++;
  };
  const auto make_map = [&] {
    return [bad, engine = std::mt19937(9)](int&& item) mutable {
      std::this_thread::sleep_for(std::chrono::microseconds(engine() % 300));
      if (item == bad) throw std::runtime_error("at " + std::to_string(item));
      return item * item;
    };
  };
  map_in_order<int, int>(threads, produce, make_map, [&](int&& result) {
    --under_way;
    results.push_back(result);
  });
  return results;
}

TEST(map_in_order, keeps_the_order_on_any_number_of_threads) {
  for (const std::size_t threads : {1, 2, 3, 7}) {
    for (const int count : {0, 1, 2, 500}) {
      const std::vector<int> results = squares(threads, count);
      ASSERT_EQ(results.size(), static_cast<std::size_t>(count));
      for (int i = 0; i < count; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], i * i);
    }
  }
}

TEST(map_in_order, works_on_as_many_threads_as_asked) {
  std::mutex mutex;
  std::set<std::thread::id> ids;
  std::size_t maps = 0;
  int next = 0;
  std::condition_variable all_met;
  map_in_order<int, int>(
      3, [&] { return next < 3 ? std::optional<int>(next++) : std::nullopt; },
      [&] {
        ++maps;
        return [&](int&& item) {
          // No item is finished before three threads have one.
          std::unique_lock lock(mutex);
          ids.insert(std::this_thread::get_id());
          all_met.notify_all();
          EXPECT_TRUE(all_met.wait_for(lock, std::chrono::seconds(20), [&] { return ids.size() == 3; }));
          return item;
        };
      },
      [](int&&) {});
  EXPECT_EQ(maps, 3U);
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_FALSE(ids.contains(std::this_thread::get_id()));
}

TEST(map_in_order, reports_the_first_failure_in_the_order_of_items) {
  for (const std::size_t threads : {1, 4}) {
    for (const int bad : {0, 3, 99}) {
      try {
        squares(threads, 100, bad, true);
        ADD_FAILURE();
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(error.what(), "at " + std::to_string(bad));
      }
    }
    EXPECT_THROW(squares(threads, 5, -1, true), std::runtime_error);
  }
}

}  // namespace
}  // namespace Sward::Test
