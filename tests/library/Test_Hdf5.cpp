#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <random>
#include <thread>
#include <utility>

#include "Sward_Hdf5.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <class T>
std::vector<T> random_values(std::size_t count) {
  std::mt19937_64 engine(17);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(static_cast<std::int64_t>(engine()));
  return values;
}

template <class T>
class Hdf5Numbers : public testing::Test {};

using Numbers = testing::Types<float, double, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t, std::uint32_t,
                               std::uint64_t>;
TYPED_TEST_SUITE(Hdf5Numbers, Numbers);

TYPED_TEST(Hdf5Numbers, come_back_in_one_and_two_dimensions) {
  const TemporaryFolder folder;
  // Larger than one chunk in both shapes, and divisible by no chunk.
  const std::vector<TypeParam> values = random_values<TypeParam>(1031 * 1201);
  Hdf5File out = Hdf5File::create(folder / "a.h5");
  out.write<TypeParam>("/group/line", values);
  out.write<TypeParam>("/group/table", values, {1031, 1201});
  out.write<TypeParam>("/wide", values, {1, 1031 * 1201});
  out.write<TypeParam>("/empty", std::span<const TypeParam>());
  out.write<TypeParam>("/flat", std::span<const TypeParam>(), {3, 0});
  out.close();

  const Hdf5File in = Hdf5File::open_read(folder / "a.h5");
  EXPECT_EQ(in.read<TypeParam>("/group/line"), values);
  EXPECT_TRUE(in.read<TypeParam>("/empty").empty());
  EXPECT_THAT(in.extents("/flat"), ElementsAre(3, 0));
  EXPECT_THAT(in.extents("/group/table"), ElementsAre(1031, 1201));
  std::vector<TypeParam> table(values.size());
  in.read<TypeParam>("/group/table", table, {1031, 1201});
  EXPECT_EQ(table, values);
  EXPECT_THROW(in.read<TypeParam>("/group/table", table, {1201, 1031}), InputError);
  EXPECT_THROW(in.read<TypeParam>("/group/table"), InputError);
}

TEST(Hdf5, converts_only_where_every_value_fits) {
  const TemporaryFolder folder;
  Hdf5File out = Hdf5File::create(folder / "a.h5");
  out.write<float>("/float", std::vector<float>{0.5F});
  out.write<double>("/double", std::vector<double>{0.5});
  out.write<std::uint16_t>("/uint16", std::vector<std::uint16_t>{65535});
  out.write<std::uint32_t>("/uint32", std::vector<std::uint32_t>{7});
  out.write<std::int32_t>("/int32", std::vector<std::int32_t>{-7});
  out.close();

  const Hdf5File in = Hdf5File::open_read(folder / "a.h5");
  EXPECT_THAT(in.read<double>("/float"), ElementsAre(0.5));
  EXPECT_THAT(in.read<std::int32_t>("/uint16"), ElementsAre(65535));
  EXPECT_THAT(in.read<std::uint64_t>("/uint32"), ElementsAre(7U));
  EXPECT_THAT(in.read<std::int64_t>("/int32"), ElementsAre(-7));
  EXPECT_THROW(in.read<float>("/double"), InputError);
  EXPECT_THROW(in.read<std::int32_t>("/uint32"), InputError);
  EXPECT_THROW(in.read<std::uint64_t>("/int32"), InputError);
  EXPECT_THROW(in.read<std::int64_t>("/float"), InputError);
  EXPECT_THROW(in.read<double>("/int32"), InputError);
}

TEST(Hdf5, keeps_attributes) {
  const TemporaryFolder folder;
  const std::string long_text(20000, 'x');
  Hdf5File out = Hdf5File::create(folder / "a.h5");
  out.create_group("/state/deep");
  out.write_attribute("/state/deep", "least", std::numeric_limits<std::int64_t>::min());
  out.write_attribute("/state/deep", "most", std::numeric_limits<std::uint64_t>::max());
  out.write_attribute("/", "third", 1.0 / 3.0);
  out.write_attribute("/", "text", std::string_view("grüß"));
  out.write_attribute("/", "empty", std::string_view());
  out.write_attribute("/", "long", std::string_view(long_text));
  out.close();

  const Hdf5File in = Hdf5File::open_read(folder / "a.h5");
  EXPECT_EQ(in.attribute<std::int64_t>("/state/deep", "least"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(in.attribute<std::uint64_t>("/state/deep", "most"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(in.attribute<double>("/", "third"), 1.0 / 3.0);
  EXPECT_EQ(in.attribute<std::string>("/", "text"), "grüß");
  EXPECT_EQ(in.attribute<std::string>("/", "empty"), "");
  EXPECT_EQ(in.attribute<std::string>("/", "long"), long_text);
  EXPECT_TRUE(in.has_attribute("/", "text"));
  EXPECT_FALSE(in.has_attribute("/", "other"));
  // A clipped value would look right, so one that does not fit is an error.
  EXPECT_THROW(in.attribute<std::int64_t>("/state/deep", "most"), InputError);
  EXPECT_THROW(in.attribute<std::uint64_t>("/state/deep", "least"), InputError);
  EXPECT_THROW(in.attribute<std::int64_t>("/", "third"), InputError);
  EXPECT_THROW(in.attribute<std::int64_t>("/", "text"), InputError);
  EXPECT_THROW(in.attribute<std::string>("/", "third"), InputError);
  EXPECT_THAT(message_of<InputError>([&] { in.attribute<double>("/state", "none"); }),
              HasSubstr("a.h5: /state: attribute 'none' is missing"));
}

TEST(Hdf5, lists_and_finds_objects) {
  const TemporaryFolder folder;
  Hdf5File out = Hdf5File::create(folder / "a.h5");
  out.create_group("/b/inner");
  out.write<float>("/b/a", std::vector<float>{1});
  out.close();
  const Hdf5File in = Hdf5File::open_read(folder / "a.h5");
  EXPECT_THAT(in.names("/"), ElementsAre("b"));
  EXPECT_THAT(in.names("/b"), ElementsAre("a", "inner"));
  EXPECT_THAT(in.names("/b/inner"), ElementsAre());
  EXPECT_TRUE(in.exists("/"));
  EXPECT_TRUE(in.exists("/b/inner"));
  EXPECT_TRUE(in.exists("b//a"));
  EXPECT_FALSE(in.exists("/b/c"));
  EXPECT_FALSE(in.exists("/c/d"));
  EXPECT_THROW(in.names("/c"), InputError);
}

TEST(Hdf5, names_file_and_object_in_errors) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<InputError>([&] { Hdf5File::open_read(folder / "none.h5"); }),
              HasSubstr("none.h5: no such file"));
  write_file(folder / "text.h5", "not HDF5 at all");
  EXPECT_THAT(message_of<InputError>([&] { Hdf5File::open_read(folder / "text.h5"); }), HasSubstr("text.h5: /: "));
  EXPECT_THROW(Hdf5File::open_read(folder.path()), InputError);
  EXPECT_THAT(message_of<std::runtime_error>([&] { Hdf5File::create(folder / "none/a.h5"); }), HasSubstr("none/a.h5"));

  Hdf5File out = Hdf5File::create(folder / "a.h5");
  out.write<float>("/a", std::vector<float>{1});
  EXPECT_THAT(message_of<std::runtime_error>([&] { out.write<float>("/a", std::vector<float>{2}); }),
              HasSubstr("a.h5: /a: cannot create the dataset (HDF5: "));
  EXPECT_THROW(out.write<float>("/b", std::vector<float>{1, 2}, {3, 1}), std::runtime_error);
  EXPECT_THROW(out.create_group("/a"), std::runtime_error);
  out.close();
  const Hdf5File in = Hdf5File::open_read(folder / "a.h5");
  EXPECT_THAT(message_of<InputError>([&] { in.read<float>("/z"); }), HasSubstr("a.h5: /z: is missing"));
}

/// A chunked dataset of single bytes whose chunks were never written.
void claim(const Hdf5File& file, const char* name, const std::vector<hsize_t>& extents) {
  const H5Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
  const H5Handle list = checksummed_chunks(std::vector<hsize_t>(extents.size(), 16));
  const H5Handle dataset(
      H5Dcreate2(file.identifier(), name, H5T_STD_U8LE, space.get(), H5P_DEFAULT, list.get(), H5P_DEFAULT), H5Dclose);
  ASSERT_TRUE(dataset) << name;
}

TEST(Hdf5, takes_no_memory_for_data_that_the_file_cannot_hold) {
  const TemporaryFolder folder;
  constexpr hsize_t large = hsize_t{1} << 32;
  Hdf5File out = Hdf5File::create(folder / "a.h5");
  claim(out, "/long", {large << 20});
  // Each with a product that is small, or 0, in 64 bits.
  claim(out, "/square", {large, large});
  claim(out, "/cube", {large, large - 1, large});
  claim(out, "/flat", {large, 0, large});
  claim(out, "/sparse", {1000, 1000});
  out.close();
  const Hdf5File in = Hdf5File::open_read(folder / "a.h5");
  EXPECT_THAT(message_of<InputError>([&] { in.read<std::uint8_t>("/long"); }),
              HasSubstr("a.h5: /long: has extents (4503599627370496), more than it can hold in a file of "));
  for (const char* name : {"/long", "/square", "/cube"}) {
    EXPECT_THAT(message_of<InputError>([&] { in.extents(name); }), HasSubstr("more than it can hold")) << name;
    EXPECT_THROW(in.verify(name), InputError) << name;
  }
  EXPECT_THAT(in.extents("/flat"), ElementsAre(large, 0, large));
  EXPECT_EQ(in.read<std::uint8_t>("/sparse", {1000, 1000}), std::vector<std::uint8_t>(1'000'000));
}

TEST(Hdf5, writes_equal_bytes_for_equal_data) {
  const TemporaryFolder folder;
  for (const char* name : {"a.h5", "b.h5"}) {
    Hdf5File out = Hdf5File::create(folder / name);
    out.create_group("/group");
    out.write<std::uint8_t>("/group/bytes", random_values<std::uint8_t>(1000), {10, 100});
    out.create_group("/made/on/demand");
    out.write<std::uint8_t>("/made/for/bytes", random_values<std::uint8_t>(10));
    out.write_attribute("/", "text", std::string_view("text"));
    out.close();
    // HDF5 would keep times in seconds.
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  }
  EXPECT_EQ(read_file(folder / "a.h5"), read_file(folder / "b.h5"));
}

struct Content {
  std::vector<double> values;
  std::vector<std::uint16_t> table;
  std::string text;
  std::vector<std::string> names;
  bool operator==(const Content&) const = default;
};

Content read_content(const std::filesystem::path& path) {
  const Hdf5File in = Hdf5File::open_read(path);
  Content content;
  content.values = in.read<double>("/group/values");
  content.table.resize(40);
  in.read<std::uint16_t>("/group/table", content.table, {5, 8});
  content.text = in.attribute<std::string>("/group", "text");
  content.names = in.names("/group");
  return content;
}

std::filesystem::path write_content(const TemporaryFolder& folder) {
  Hdf5File out = Hdf5File::create(folder / "a.h5");
  out.write<double>("/group/values", random_values<double>(33));
  out.write<std::uint16_t>("/group/table", random_values<std::uint16_t>(40), {5, 8});
  out.write_attribute("/group", "text", std::string_view("some text"));
  out.close();
  return folder / "a.h5";
}

TEST(Hdf5, reports_a_flipped_bit_or_is_not_changed_by_it) {
  const TemporaryFolder folder;
  const std::filesystem::path path = write_content(folder);
  const Content content = read_content(path);
  const std::string bytes = read_file(path);
  std::size_t reported = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    write_file(folder / "flipped.h5", flipped);
    try {
      ASSERT_EQ(read_content(folder / "flipped.h5"), content) << "byte " << i;
    } catch (const InputError&) {
      ++reported;
    }
  }
  EXPECT_GT(reported, 33 * sizeof(double) + 40 * sizeof(std::uint16_t));
}

TEST(Hdf5, reports_a_truncated_file) {
  const TemporaryFolder folder;
  const std::filesystem::path path = write_content(folder);
  const std::string bytes = read_file(path);
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    write_file(folder / "short.h5", bytes.substr(0, size));
    EXPECT_THROW(read_content(folder / "short.h5"), InputError) << size;
  }
}

TEST(H5Handle, closes_once_and_moves) {
  static int closed = 0;
  closed = 0;
  const auto close = [](hid_t) -> herr_t { return ++closed, 0; };
  {
    H5Handle first(1, close);
    H5Handle second(std::move(first));
    EXPECT_FALSE(first);
    EXPECT_EQ(second.get(), 1);
    H5Handle third(2, close);
    third = std::move(second);
    EXPECT_EQ(closed, 1);
    EXPECT_TRUE(third.close());
    EXPECT_EQ(closed, 2);
  }
  EXPECT_EQ(closed, 2);
  EXPECT_FALSE(H5Handle(3, [](hid_t) -> herr_t { return -1; }).close());
}

}  // namespace
}  // namespace Sward::Test
