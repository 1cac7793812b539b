#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <numeric>
#include <random>
#include <tuple>

#include "Sward_Damage.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFile.hpp"
#include "Sward_TokenFileContents.hpp"
#include "Sward_TokenFileWriter.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

void write_integer(hid_t file, const char* name, std::int64_t value) {
  const H5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const H5Handle attribute(H5Acreate2(file, name, H5T_STD_I16BE, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  H5Awrite(attribute.get(), H5T_NATIVE_INT64, &value);
}

enum class TextKind { variable, null_terminated, null_padded, space_padded, array_of_one };

void write_text(hid_t file, const char* name, const std::string& value, TextKind kind) {
  const hsize_t one = 1;
  const H5Handle space(kind == TextKind::array_of_one ? H5Screate_simple(1, &one, nullptr) : H5Screate(H5S_SCALAR),
                       H5Sclose);
  const H5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  const bool variable = kind == TextKind::variable || kind == TextKind::array_of_one;
  H5Tset_size(type.get(), variable ? H5T_VARIABLE : value.size() + (kind == TextKind::null_terminated ? 1 : 0));
  if (kind == TextKind::null_padded) H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  if (kind == TextKind::space_padded) {
    H5Tset_size(type.get(), value.size() + 5);
    H5Tset_strpad(type.get(), H5T_STR_SPACEPAD);
  }
  const H5Handle attribute(H5Acreate2(file, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const std::string padded = kind == TextKind::space_padded ? value + "     " : value;
  const char* pointer = padded.c_str();
  H5Awrite(attribute.get(), type.get(), variable ? static_cast<const void*>(&pointer) : pointer);
}

H5Handle creation_list(H5D_layout_t layout) {
  H5Handle list(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_layout(list.get(), layout);
  const hsize_t chunk = 7;
  if (layout == H5D_CHUNKED) {
    H5Pset_chunk(list.get(), 1, &chunk);
    H5Pset_deflate(list.get(), 5);
  }
  return list;
}

void write_dataset(hid_t file, const char* name, hid_t type, H5D_layout_t layout,
                   const std::vector<std::int64_t>& values) {
  const hsize_t size = values.size();
  const H5Handle space(H5Screate_simple(1, &size, nullptr), H5Sclose);
  const H5Handle list = creation_list(layout);
  const H5Handle dataset(H5Dcreate2(file, name, type, space.get(), H5P_DEFAULT, list.get(), H5P_DEFAULT), H5Dclose);
  H5Dwrite(dataset.get(), H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

/// A token file as some other program could have written it.
void write_raw(const std::filesystem::path& path, hid_t type, H5D_layout_t layout, TextKind kind,
               const std::vector<std::int64_t>& tokens, std::int64_t vocab_size = 120) {
  const H5Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  write_dataset(file.get(), "tokens", type, layout, tokens);
  write_integer(file.get(), "format_version", 1);
  write_integer(file.get(), "vocab_size", vocab_size);
  write_text(file.get(), "tokenizer", "none", kind);
}

TEST(TokenFile, reads_every_integer_width_layout_and_kind_of_text) {
  const TemporaryFolder folder;
  std::vector<std::int64_t> tokens(100);
  std::iota(tokens.begin(), tokens.end(), 3);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  // Not in the loop's head, where nvcc loses the parentheses of HDF5's macros.
  const std::vector<hid_t> types{H5T_STD_U8LE,  H5T_STD_I8LE,  H5T_STD_U16LE, H5T_STD_U16BE, H5T_STD_I16LE,
                                 H5T_STD_U32LE, H5T_STD_I32BE, H5T_STD_U64LE, H5T_STD_I64LE};
  for (const hid_t type : types) {
    for (const H5D_layout_t layout : {H5D_CONTIGUOUS, H5D_COMPACT, H5D_CHUNKED}) {
      for (const TextKind kind : {TextKind::variable, TextKind::null_terminated, TextKind::null_padded,
                                  TextKind::space_padded, TextKind::array_of_one}) {
        write_raw(folder / "a.h5", type, layout, kind, tokens);
        const TokenFile file(folder / "a.h5");
        EXPECT_EQ(file.token_count(), 100U);
        EXPECT_EQ(file.vocab_size(), 120U);
        EXPECT_EQ(file.tokenizer(), "none");
        EXPECT_EQ(file.tokenizer_model(), "");
        EXPECT_FALSE(file.has_document_starts());
        EXPECT_THAT(file.read(5, 4), ElementsAre(8, 9, 10, 11));
        EXPECT_EQ(file.read(0, 100), std::vector<std::uint32_t>(tokens.begin(), tokens.end()));
      }
    }
  }
}

TEST(TokenFile, reads_what_h5py_wrote) {
  const TokenFile file(golden_folder("tiny-top-r") / "tokens.h5");
  EXPECT_EQ(file.token_count(), 673U);
  EXPECT_EQ(file.vocab_size(), 97U);
  EXPECT_EQ(file.tokenizer(), "none");
  const std::vector<std::uint32_t> tokens = file.read(0, 673);
  for (std::size_t i = 1; i < tokens.size(); i += 2) EXPECT_EQ(tokens[i], (tokens[i - 1] * 3 + 1) % 97);
  EXPECT_NO_THROW(check_tokens(file, 0, 673, 97));
}

TEST(TokenFile, reads_wide_integers_unclipped) {
  const TemporaryFolder folder;
  write_raw(folder / "a.h5", H5T_STD_U32LE, H5D_CONTIGUOUS, TextKind::variable, {4294967295, 5});
  EXPECT_THAT(TokenFile(folder / "a.h5").read(0, 2), ElementsAre(4294967295, 5));
  for (const std::int64_t bad : {std::int64_t{-1}, std::int64_t{4294967296}}) {
    write_raw(folder / "a.h5", H5T_STD_I64LE, H5D_CONTIGUOUS, TextKind::variable, {4, bad});
    const TokenFile file(folder / "a.h5");
    EXPECT_THAT(file.read(0, 1), ElementsAre(4));
    EXPECT_THAT(message_of<InputError>([&] { file.read(0, 2); }), HasSubstr("a.h5: /tokens: " + std::to_string(bad)));
  }
}

TEST(TokenFile, refuses_reads_beyond_the_end) {
  const TemporaryFolder folder;
  write_raw(folder / "a.h5", H5T_STD_U16LE, H5D_CONTIGUOUS, TextKind::variable, {1, 2, 3});
  const TokenFile file(folder / "a.h5");
  EXPECT_TRUE(file.read(3, 0).empty());
  EXPECT_THROW(file.read(2, 2), InputError);
  EXPECT_THROW(file.read(4, 0), InputError);
  EXPECT_THROW(file.read(2, std::numeric_limits<std::uint64_t>::max()), InputError);
}

std::string error_after(const std::filesystem::path& path, const std::function<void(hid_t)>& change) {
  write_raw(path, H5T_STD_U16LE, H5D_CONTIGUOUS, TextKind::variable, {1, 2, 3});
  {
    const H5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    change(file.get());
  }
  return message_of<InputError>([&] { TokenFile{path}; });
}

TEST(TokenFile, names_what_is_wrong) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "a.h5";
  for (const char* name : {"format_version", "vocab_size", "tokenizer"}) {
    EXPECT_THAT(error_after(path, [&](hid_t file) { H5Adelete(file, name); }),
                HasSubstr("a.h5: /: attribute '" + std::string(name) + "' is missing"));
  }
  const auto replace = [&](const char* name, std::int64_t value) {
    return error_after(path, [&](hid_t file) {
      H5Adelete(file, name);
      write_integer(file, name, value);
    });
  };
  EXPECT_THAT(replace("format_version", 2), HasSubstr("format_version is 2"));
  EXPECT_THAT(replace("vocab_size", 0), HasSubstr("vocab_size is 0"));
  EXPECT_THAT(replace("vocab_size", -4), HasSubstr("vocab_size is -4"));
  EXPECT_THAT(replace("tokenizer", 4), HasSubstr("attribute 'tokenizer' is not text"));
  EXPECT_THAT(error_after(path, [](hid_t file) { H5Ldelete(file, "tokens", H5P_DEFAULT); }),
              HasSubstr("a.h5: /tokens: is missing"));
  EXPECT_THAT(error_after(path,
                          [](hid_t file) {
                            H5Ldelete(file, "tokens", H5P_DEFAULT);
                            H5Gclose(H5Gcreate2(file, "tokens", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
                          }),
              HasSubstr("a.h5: /tokens: cannot open the dataset"));
  Hdf5File out = Hdf5File::create(path);
  out.write<float>("/tokens", std::vector<float>{1});
  out.close();
  EXPECT_THAT(message_of<InputError>([&] { TokenFile{path}; }), HasSubstr("/tokens: does not hold integers"));
  Hdf5File square = Hdf5File::create(path);
  square.write<std::uint16_t>("/tokens", std::vector<std::uint16_t>{1, 2}, {1, 2});
  square.close();
  EXPECT_THAT(message_of<InputError>([&] { TokenFile{path}; }), HasSubstr("/tokens: has 2 dimensions, wanted 1"));
}

TEST(TokenFile, counts_whole_sequences_with_their_last_target) {
  const TemporaryFolder folder;
  for (const auto& [tokens, sequences] : {std::pair(0U, 0U), {1U, 0U}, {4U, 0U}, {5U, 1U}, {24U, 5U}, {25U, 6U}}) {
    write_raw(folder / "a.h5", H5T_STD_U16LE, H5D_CONTIGUOUS, TextKind::variable, std::vector<std::int64_t>(tokens, 1));
    EXPECT_EQ(TokenFile(folder / "a.h5").sequence_count(4), sequences) << tokens;
  }
}

/// A file of three tokens with one more dataset, as some other program could have written it.
void write_beside_tokens(const std::filesystem::path& path, const char* name, hid_t type,
                         const std::vector<std::int64_t>& values) {
  write_raw(path, H5T_STD_U16LE, H5D_CONTIGUOUS, TextKind::variable, {1, 2, 3});
  const H5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
  write_dataset(file.get(), name, type, H5D_CONTIGUOUS, values);
}

TEST(TokenFile, reads_masks_and_starts_of_every_integer_width) {
  const TemporaryFolder folder;
  // Not in the loop's head, as above.
  const std::vector<hid_t> types{H5T_STD_U8LE,  H5T_STD_I8LE,  H5T_STD_U16LE, H5T_STD_I16BE,
                                 H5T_STD_U32LE, H5T_STD_I32LE, H5T_STD_U64BE, H5T_STD_I64LE};
  for (const hid_t type : types) {
    write_beside_tokens(folder / "a.h5", "loss_mask", type, {0, 1, 1});
    const TokenFile masked(folder / "a.h5");
    EXPECT_TRUE(masked.has_loss_mask());
    EXPECT_THAT(masked.loss_mask(0, 3), ElementsAre(0, 1, 1));
    EXPECT_THAT(masked.loss_mask(1, 1), ElementsAre(1));
    write_beside_tokens(folder / "b.h5", "document_starts", type, {0, 1, 1, 2});
    EXPECT_THAT(TokenFile(folder / "b.h5").document_starts(), ElementsAre(0, 1, 1, 2));
  }
  write_raw(folder / "a.h5", H5T_STD_U16LE, H5D_CONTIGUOUS, TextKind::variable, {1, 2, 3});
  const TokenFile plain(folder / "a.h5");
  EXPECT_FALSE(plain.has_loss_mask());
  EXPECT_THAT(plain.loss_mask(0, 2), ElementsAre(1, 1));
}

TEST(TokenFile, names_what_is_wrong_with_a_mask) {
  const TemporaryFolder folder;
  const auto error = [&](const std::vector<std::int64_t>& mask) {
    write_beside_tokens(folder / "a.h5", "loss_mask", H5T_STD_I16LE, mask);
    return message_of<InputError>([&] { check_tokens(TokenFile(folder / "a.h5"), 0, 3, 120); });
  };
  EXPECT_EQ(error({0, 1, 0}), "no exception");
  EXPECT_THAT(error({0, 1}), HasSubstr("a.h5: /loss_mask: has 2 values, wanted one for each of 3 tokens"));
  EXPECT_THAT(error({0, 1, 1, 1}), HasSubstr("a.h5: /loss_mask: has 4 values"));
  EXPECT_THAT(error({0, 1, 2}), HasSubstr("a.h5: /loss_mask: 2 at position 2 is neither 0 nor 1"));
  EXPECT_THAT(error({0, -1, 1}), HasSubstr("a.h5: /loss_mask: -1 at position 1 is not in 0 to 2^32 - 1"));
  write_beside_tokens(folder / "a.h5", "loss_mask", H5T_IEEE_F32LE, {0, 1, 1});
  EXPECT_THAT(message_of<InputError>([&] { TokenFile(folder / "a.h5"); }),
              HasSubstr("a.h5: /loss_mask: does not hold integers"));
}

TEST(TokenFile, names_what_is_wrong_with_document_starts) {
  const TemporaryFolder folder;
  const auto error = [&](const std::vector<std::int64_t>& starts) {
    write_beside_tokens(folder / "a.h5", "document_starts", H5T_STD_I64LE, starts);
    return message_of<InputError>([&] { TokenFile(folder / "a.h5").document_starts(); });
  };
  EXPECT_EQ(error({0, 2}), "no exception");
  EXPECT_THAT(error({}), HasSubstr("a.h5: /document_starts: begins with 3, wanted 0"));
  EXPECT_THAT(error({1, 2}), HasSubstr("a.h5: /document_starts: begins with 1, wanted 0"));
  EXPECT_THAT(error({0, 2, 1}), HasSubstr("a.h5: /document_starts: 1 stands behind 2, wanted them ascending"));
  EXPECT_THAT(error({0, 3}), HasSubstr("a.h5: /document_starts: 3 is not below the 3 tokens"));
  EXPECT_THAT(error({0, std::int64_t{1} << 33}), HasSubstr("8589934592 is not below the 3 tokens"));
  EXPECT_THAT(error({0, -1}), HasSubstr("-1 at position 1 is not in 0 to 2^64 - 1"));
  write_raw(folder / "a.h5", H5T_STD_U16LE, H5D_CONTIGUOUS, TextKind::variable, {1, 2, 3});
  EXPECT_THAT(message_of<InputError>([&] { TokenFile(folder / "a.h5").document_starts(); }),
              HasSubstr("a.h5: /document_starts: is missing"));
}

TEST(has_counting_target, looks_at_every_token_of_the_range_and_at_no_other) {
  const TemporaryFolder folder;
  TokenFileContents contents{std::vector<std::uint32_t>(2'500'000, 1)};
  contents.loss_mask.emplace(2'500'000);
  (*contents.loss_mask)[2'400'000] = 1;
  contents.write(folder / "a.h5");
  const TokenFile file(folder / "a.h5");
  EXPECT_TRUE(has_counting_target(file, 0, 2'500'000));
  EXPECT_TRUE(has_counting_target(file, 2'400'000, 1));
  EXPECT_FALSE(has_counting_target(file, 0, 2'400'000));
  EXPECT_FALSE(has_counting_target(file, 2'400'001, 99'999));
  contents.loss_mask.reset();
  contents.write(folder / "b.h5");
  EXPECT_TRUE(has_counting_target(TokenFile(folder / "b.h5"), 7, 1));
  EXPECT_FALSE(has_counting_target(TokenFile(folder / "b.h5"), 7, 0));
}

TEST(check_tokens, names_position_and_token_of_the_first_bad_one) {
  const TemporaryFolder folder;
  std::vector<std::int64_t> tokens(3'000'000, 1);
  tokens[2'500'000] = 120;
  tokens[2'900'000] = 130;
  write_raw(folder / "a.h5", H5T_STD_U16LE, H5D_CONTIGUOUS, TextKind::variable, tokens);
  const TokenFile file(folder / "a.h5");
  EXPECT_NO_THROW(check_tokens(file, 0, 2'500'000, 120));
  EXPECT_NO_THROW(check_tokens(file, 2'500'001, 399'999, 120));
  EXPECT_NO_THROW(check_tokens(file, 0, 3'000'000, 131));
  EXPECT_THAT(message_of<InputError>([&] { check_tokens(file, 10, 2'999'990, 120); }),
              HasSubstr("a.h5: /tokens: token 120 at position 2500000 is not below the vocabulary size 120"));
}

TEST(TokenFile, reports_a_flipped_bit_or_is_not_changed_by_it) {
  const TemporaryFolder folder;
  TokenFileWriter writer(folder / "a.h5", 258, "bytes", "");
  std::vector<std::uint32_t> tokens(90'000);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::uint32_t>(i * i % 251);
  writer.append(tokens);
  writer.commit();
  std::string bytes = read_file(folder / "a.h5");
  std::size_t reported = 0;
  for (std::size_t i = 0; i < bytes.size(); i = i < 2000 ? i + 1 : i + 307) {
    const char flip = static_cast<char>(1 << (i % 8));
    bytes[i] = static_cast<char>(bytes[i] ^ flip);
    write_file(folder / "b.h5", bytes);
    bytes[i] = static_cast<char>(bytes[i] ^ flip);
    try {
      const TokenFile file(folder / "b.h5");
      ASSERT_EQ(file.read(0, file.token_count()), tokens) << "byte " << i;
      ASSERT_EQ(file.document_starts(), std::vector<std::uint64_t>{0}) << "byte " << i;
      ASSERT_EQ(file.vocab_size(), 258U) << "byte " << i;
      ASSERT_EQ(file.tokenizer(), "bytes") << "byte " << i;
    } catch (const InputError&) {
      ++reported;
    }
  }
  EXPECT_GT(reported, 500U);
}

/// Everything that a token file holds.
auto contents_of(const std::filesystem::path& path) {
  const TokenFile file(path);
  return std::tuple(file.vocab_size(), file.tokenizer(), file.tokenizer_model(), file.document_starts(),
                    file.read(0, file.token_count()), file.loss_mask(0, file.token_count()));
}

TEST(TokenFile, reports_random_damage_or_is_not_changed_by_it) {
  std::mt19937 engine(3);
  TokenFileContents contents;
  for (std::size_t i = 0; i < 5000; ++i)
    contents.tokens.push_back(static_cast<std::uint32_t>(engine() % contents.vocab_size));
  contents.loss_mask.emplace();
  for (std::size_t i = 0; i < 5000; ++i) contents.loss_mask->push_back(static_cast<std::uint8_t>(engine() % 2));
  contents.document_starts = {0, 17, 1200};
  contents.tokenizer = "sentencepiece";
  contents.tokenizer_model = "some bytes";
  const TemporaryFolder folder;
  contents.write(folder / "a.h5");
  const std::string bytes = read_file(folder / "a.h5");
  const auto wanted = contents_of(folder / "a.h5");
  ASSERT_EQ(std::get<4>(wanted), contents.tokens);
  EXPECT_EQ(count_reported(truncated(bytes, 20, 1), contents_of, wanted), 20);
  // Most of the file is tokens and mask, and every byte of those has a checksum.
  EXPECT_GT(count_reported(flipped(bytes, 100, 2), contents_of, wanted), 80);
}

}  // namespace
}  // namespace Sward::Test
