#include "Sward_ProductChoices.hpp"

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <string>
#include <vector>

#ifdef KOKKOS_ENABLE_CUDA
#include "Sward_CublasLt.hpp"
#endif

namespace Sward {

#ifdef KOKKOS_ENABLE_CUDA
namespace {

constexpr std::size_t words_of_product = 12;
constexpr std::size_t words_of_algorithm = 8;
constexpr std::size_t words = words_of_product + words_of_algorithm;

/// Where products of bfloat16, and where those in 8 bits are: a program that knows only the former reads no other.
std::string dataset_of(bool is_float8) { return is_float8 ? "/products_float8" : "/products"; }

std::vector<std::uint64_t> encode(const CublasLtChoice& choice) {
  const CublasLtProduct& p = choice.product;
  std::vector<std::uint64_t> row;
  for (const std::int64_t size : {p.m, p.n, p.k, p.a_stride, p.b_stride, p.source_stride, p.result_stride})
    row.push_back(static_cast<std::uint64_t>(size));
  for (const bool flag : {p.a_is_transposed, p.b_is_transposed, p.float_result, p.is_added_to})
    row.push_back(flag ? 1 : 0);
  row.push_back(p.alignment);
  row.insert(row.end(), choice.algorithm, choice.algorithm + words_of_algorithm);
  return row;
}

CublasLtChoice decode(const std::uint64_t* row, bool is_float8) {
  const auto size = [&](int i) { return static_cast<std::int64_t>(row[i]); };
  CublasLtChoice choice{{size(0), size(1), size(2), size(3), size(4), size(5), size(6), row[7] != 0, row[8] != 0,
                         row[9] != 0, row[10] != 0, is_float8, static_cast<std::uint32_t>(row[11])},
                        {}};
  for (std::size_t i = 0; i < words_of_algorithm; ++i) choice.algorithm[i] = row[words_of_product + i];
  return choice;
}

void write_choices(Hdf5File& file, bool is_float8) {
  std::vector<std::uint64_t> rows;
  for (const CublasLtChoice& choice : cublaslt_choices()) {
    if (choice.product.is_float8 != is_float8) continue;
    for (const std::uint64_t word : encode(choice)) rows.push_back(word);
  }
  if (rows.empty()) return;
  const std::string name = dataset_of(is_float8);
  file.write(name, std::span<const std::uint64_t>(rows), {rows.size() / words, words});
  file.write_attribute(name, "environment", std::string_view(cublaslt_environment()));
}

void restore_choices(const Hdf5File& file, bool is_float8) {
  const std::string name = dataset_of(is_float8);
  if (!file.exists(name) || file.attribute<std::string>(name, "environment") != cublaslt_environment()) return;
  const std::vector<std::size_t> extents = file.extents(name);
  if (extents.size() != 2 || extents[1] != words) file.fail(name, "is no list of products");
  const std::vector<std::uint64_t> rows = file.read<std::uint64_t>(name, extents);
  std::vector<CublasLtChoice> choices;
  for (std::size_t i = 0; i < extents[0]; ++i) choices.push_back(decode(rows.data() + i * words, is_float8));
  restore_cublaslt_choices(choices);
}

}  // namespace

void set_product_measuring(bool measures) { set_cublaslt_measuring(measures); }

void write_product_choices(Hdf5File& file) {
  for (const bool is_float8 : {false, true}) write_choices(file, is_float8);
}

void restore_product_choices(const CheckpointFile& checkpoint) {
  for (const bool is_float8 : {false, true}) restore_choices(checkpoint.file(), is_float8);
}
#else
void set_product_measuring(bool) {}
void write_product_choices(Hdf5File&) {}
void restore_product_choices(const CheckpointFile&) {}
#endif

}  // namespace Sward
