#include "Sward_ProcessMemory.hpp"

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "Sward_Fill.hpp"
#include "Sward_MatrixProduct.hpp"
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

// Libraries pack blocks of some 10,000 columns and a few hundred rows and terms.
Product cut(const Product& product, const Space& space) {
  const auto threads = static_cast<std::size_t>(space.concurrency());
  return {product.a, product.b, std::min<std::size_t>(product.rows, 512),
          std::min<std::size_t>(product.columns, 16384 * threads), std::min<std::size_t>(product.inner, 2048)};
}

/// The three products of a layer Y = X Wᵀ with `tokens` rows.
void add_products(std::vector<Product>& products, std::size_t tokens, std::int64_t outputs, std::int64_t inputs) {
  const auto m = static_cast<std::size_t>(outputs);
  const auto n = static_cast<std::size_t>(inputs);
  products.push_back({Transpose::no, Transpose::yes, tokens, m, n});
  products.push_back({Transpose::no, Transpose::no, tokens, n, m});
  products.push_back({Transpose::yes, Transpose::no, m, n, tokens});
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

}  // namespace

std::size_t measure_process(const LlamaShape& shape, std::size_t tokens, std::size_t logits_rows) {
  const Space space;
  std::vector<Product> products = products_of_step(shape, tokens, logits_rows);
  std::size_t factor = 0;
  std::size_t result = 0;
  for (Product& product : products) {
    product = cut(product, space);
    factor = std::max({factor, product.rows * product.inner, product.inner * product.columns});
    result = std::max(result, product.rows * product.columns);
  }
  const Memory factors = reserve("Sward::measure_process::factors", factor);
  const Memory results = reserve("Sward::measure_process::results", result);
  fill(space, Kokkos::subview(results, std::pair<std::size_t, std::size_t>(0, result)), 0.0F);
  for (const Product& product : products)
    for (const float keep : {0.0F, 1.0F})
      matrix_product(space, product.a, product.b, 1.0F, operand(factors, product.a, product.rows, product.inner),
                     operand(factors, product.b, product.inner, product.columns), keep,
                     operand(results, Transpose::no, product.rows, product.columns));
  space.fence("Sward::measure_process");
  return read_resident_memory().peak - result * sizeof(float);
}

}  // namespace Sward
