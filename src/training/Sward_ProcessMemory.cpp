#include "Sward_ProcessMemory.hpp"

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "Sward_Fill.hpp"
#include "Sward_KeepSmallBlocks.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_Rehearsal.hpp"
#include "Sward_ResidentMemory.hpp"

namespace Sward {

namespace {

using Space = Kokkos::DefaultExecutionSpace;
using Matrix = Kokkos::View<float**, Kokkos::LayoutRight, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
using Memory = Kokkos::View<float*, Space>;

/// One product of a step: rows x columns with sums of `inner` terms.
struct Product {
  Transpose a;
  Transpose b;
  std::size_t rows;
  std::size_t columns;
  std::size_t inner;
};

// Libraries pack blocks of some 10,000 columns and up to 384 rows and terms; beyond twice as many these are full.
Product cut(const Product& product, const Space& space) {
  const auto threads = static_cast<std::size_t>(space.concurrency());
  return {product.a, product.b, std::min<std::size_t>(product.rows, 512),
          std::min<std::size_t>(product.columns, 16384 * threads), std::min<std::size_t>(product.inner, 768)};
}

/// The three products of a layer Y = X Wᵀ with `tokens` rows.
void add_products(std::vector<Product>& products, std::size_t tokens, std::int64_t outputs, std::int64_t inputs) {
  const auto m = static_cast<std::size_t>(outputs);
  const auto n = static_cast<std::size_t>(inputs);
  products.push_back({Transpose::no, Transpose::yes, tokens, m, n});
  products.push_back({Transpose::no, Transpose::no, tokens, n, m});
  products.push_back({Transpose::yes, Transpose::no, m, n, tokens});
}

bool holds(const Product& larger, const Product& smaller) {
  return larger.a == smaller.a && larger.b == smaller.b && larger.rows >= smaller.rows &&
         larger.columns >= smaller.columns && larger.inner >= smaller.inner;
}

/// Those that no other one holds.
std::vector<Product> largest_of(std::vector<Product> products) {
  std::stable_sort(products.begin(), products.end(), [](const Product& left, const Product& right) {
    return left.rows * left.columns * left.inner > right.rows * right.columns * right.inner;
  });
  std::vector<Product> largest;
  for (const Product& product : products)
    if (std::none_of(largest.begin(), largest.end(), [&](const Product& other) { return holds(other, product); }))
      largest.push_back(product);
  return largest;
}

std::vector<Product> products_of_step(const LlamaShape& shape, std::size_t tokens, std::size_t logits_rows) {
  std::vector<Product> products;
  add_products(products, tokens, shape.hidden_size + 2 * shape.key_value_size(), shape.hidden_size);
  add_products(products, tokens, shape.hidden_size, shape.hidden_size);
  add_products(products, tokens, 2 * shape.intermediate_size, shape.hidden_size);
  add_products(products, tokens, shape.hidden_size, shape.intermediate_size);
  add_products(products, logits_rows, shape.vocab_size, shape.hidden_size);
  return products;
}

Matrix operand(const Memory& memory, Transpose transpose, std::size_t rows, std::size_t columns) {
  if (transpose == Transpose::yes) std::swap(rows, columns);
  return Matrix(memory.data(), rows, columns);
}

/// Memory that the system gives page by page, and takes back whole: larger than any block that a C library would keep.
Memory reserve(const std::string& label, std::size_t elements) {
  const std::size_t least = (std::size_t{64} << 20) / sizeof(float);
  return Memory(Kokkos::view_alloc(Kokkos::WithoutInitializing, label), std::max(elements, least));
}

/// Small products of each kind, but large enough for the library: what it makes and keeps then lies below the buffers
/// of larger ones.
std::vector<Product> first_products() {
  constexpr std::size_t extent = 176;
  static_assert(extent * extent * extent > small_product_limit);
  std::vector<Product> products;
  add_products(products, extent, extent, extent);
  return products;
}

/// Takes the products; the bytes that the process has besides their results, which are resident meanwhile.
std::size_t measure_products(const Space& space, const std::vector<Product>& products) {
  std::size_t factor = 0;
  std::size_t result = 0;
  for (const Product& product : products) {
    factor = std::max({factor, product.rows * product.inner, product.inner * product.columns});
    result = std::max(result, product.rows * product.columns);
  }
  const ResidentMemory before = read_resident_memory();
  const Memory factors = reserve("Sward::measure_process::factors", factor);
  const Memory results = reserve("Sward::measure_process::results", result);
  fill(space, Kokkos::subview(results, std::pair<std::size_t, std::size_t>(0, result)), 0.0F);
  const auto take = [&](const Product& product, float keep) {
    matrix_product(space, product.a, product.b, 1.0F, operand(factors, product.a, product.rows, product.inner),
                   operand(factors, product.b, product.inner, product.columns), keep,
                   operand(results, Transpose::no, product.rows, product.columns));
  };
  for (const float keep : {0.0F, 1.0F})
    for (const Product& product : first_products()) take(product, keep);
  keep_small_blocks(space);
  for (const Product& product : products) take(product, 0.0F);
  space.fence("Sward::measure_process");
  // Whatever came before may have had its own peak; buffers of products are kept, unless they are large.
  const ResidentMemory after = read_resident_memory();
  return (after.peak > before.peak ? after.peak : after.now) - result * sizeof(float);
}

}  // namespace

std::size_t measure_process(const Configuration& configuration, std::size_t logits_rows, std::size_t message_copy) {
  rehearse_run(configuration);
  // A device's products need nothing of the process.
  if (!runs_on_host<Space>) return read_resident_memory().now;
  const Space space;
  const auto tokens = static_cast<std::size_t>(configuration.batch.micro * configuration.data.sequence_length);
  std::vector<Product> products = products_of_step(configuration.shape, tokens, logits_rows);
  for (Product& product : products) product = cut(product, space);
  // A small copy lies where the buffers of files have been, and is under way beside the products.
  const std::vector<std::byte> copy(message_copy < bytes_from_the_system ? message_copy : 0);
  return measure_products(space, largest_of(products)) - copy.size();
}

}  // namespace Sward
