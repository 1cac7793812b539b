#include "Sward_CublasLt.hpp"

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

namespace Sward {

namespace {

constexpr int proposals = 8;
constexpr int timed_runs = 3;

void check_cuda(cudaError_t code, const char* call) {
  if (code != cudaSuccess) throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(code));
}

void check_cublas(cublasStatus_t status, const char* call, const CublasLtProduct& p) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw std::runtime_error(std::string(call) + ": " + cublasLtGetStatusString(status) + ", for a product of " +
                           std::to_string(p.m) + " x " + std::to_string(p.n) + " with sums of " + std::to_string(p.k));
}

template <class Handle, cublasStatus_t (*destroy)(Handle)>
struct Destroyer {
  using pointer = Handle;
  void operator()(Handle handle) const { destroy(handle); }
};
using Operation = std::unique_ptr<void, Destroyer<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>>;
using Layout = std::unique_ptr<void, Destroyer<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>>;
using Preference = std::unique_ptr<void, Destroyer<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>>;

struct EventDestroyer {
  using pointer = cudaEvent_t;
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
using Event = std::unique_ptr<void, EventDestroyer>;

Event make_event() {
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreate(&event), "cudaEventCreate");
  return Event(event);
}

/// cuBLASLt's description of a product. It reads row-major matrices as their transposes, so it is asked for
/// Cᵀ = op(B)ᵀ op(A)ᵀ: its first operand is our B.
struct Description {
  Operation operation;
  Layout first, second, source, result;
};

Layout make_layout(const CublasLtProduct& p, cudaDataType type, std::int64_t contiguous, std::int64_t rows,
                   std::int64_t stride) {
  cublasLtMatrixLayout_t layout = nullptr;
  check_cublas(cublasLtMatrixLayoutCreate(&layout, type, static_cast<std::uint64_t>(contiguous),
                                          static_cast<std::uint64_t>(rows), stride),
               "cublasLtMatrixLayoutCreate", p);
  return Layout(layout);
}

template <class Value>
void set_attribute(const CublasLtProduct& p, const Operation& operation, cublasLtMatmulDescAttributes_t attribute,
                   Value value) {
  check_cublas(cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value, sizeof(value)),
               "cublasLtMatmulDescSetAttribute", p);
}

Operation make_operation(const CublasLtProduct& p) {
  cublasLtMatmulDesc_t created = nullptr;
  check_cublas(cublasLtMatmulDescCreate(&created, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate", p);
  Operation operation(created);
  set_attribute(p, operation, CUBLASLT_MATMUL_DESC_TRANSA, p.b_is_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  set_attribute(p, operation, CUBLASLT_MATMUL_DESC_TRANSB, p.a_is_transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  if (!p.is_float8) return operation;
  constexpr auto scale_a_row = std::int32_t{CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F};
  set_attribute(p, operation, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, scale_a_row);
  set_attribute(p, operation, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, scale_a_row);
  // Sums in the tensor cores' 14 bits: of 22,016 random terms they err by 0.4%, where the operands' rounding errs
  // by 3.7%.
  set_attribute(p, operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
  return operation;
}

/// Tells where the scales are, which a description cannot know in advance.
void set_scales(const CublasLtProduct& p, const Description& d, const CublasLtOperands& o) {
  if (!p.is_float8) return;
  set_attribute(p, d.operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, o.b_scale);
  set_attribute(p, d.operation, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, o.a_scale);
}

Description describe(const CublasLtProduct& p) {
  const cudaDataType factor = p.is_float8 ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
  const cudaDataType result = p.float_result ? CUDA_R_32F : CUDA_R_16BF;
  return {make_operation(p),
          make_layout(p, factor, p.b_is_transposed ? p.k : p.n, p.b_is_transposed ? p.n : p.k, p.b_stride),
          make_layout(p, factor, p.a_is_transposed ? p.m : p.k, p.a_is_transposed ? p.k : p.m, p.a_stride),
          make_layout(p, result, p.n, p.m, p.source_stride), make_layout(p, result, p.n, p.m, p.result_stride)};
}

std::vector<cublasLtMatmulAlgo_t> propose(cublasLtHandle_t handle, const CublasLtProduct& p, const Description& d) {
  cublasLtMatmulPreference_t created = nullptr;
  check_cublas(cublasLtMatmulPreferenceCreate(&created), "cublasLtMatmulPreferenceCreate", p);
  const Preference preference(created);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    check_cublas(cublasLtMatmulPreferenceSetAttribute(created, attribute, &value, sizeof(value)),
                 "cublasLtMatmulPreferenceSetAttribute", p);
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{cublaslt_workspace_bytes});
  for (const auto attribute : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    set(attribute, p.alignment);
  std::array<cublasLtMatmulHeuristicResult_t, proposals> found{};
  int count = 0;
  check_cublas(cublasLtMatmulAlgoGetHeuristic(handle, d.operation.get(), d.first.get(), d.second.get(), d.source.get(),
                                              d.result.get(), created, proposals, found.data(), &count),
               "cublasLtMatmulAlgoGetHeuristic", p);
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<std::size_t>(i);
    if (found[index].state == CUBLAS_STATUS_SUCCESS) algorithms.push_back(found[index].algo);
  }
  if (algorithms.empty()) check_cublas(CUBLAS_STATUS_NOT_SUPPORTED, "cublasLtMatmulAlgoGetHeuristic", p);
  return algorithms;
}

/// Handle, scratch and chosen algorithms of this process, for the device that is current when it is first used. Threads
/// queue their products one after the other, since those in 8 bits put their scales into the shared description.
class CublasLt {
 public:
  static CublasLt& instance() {
    // Never destroyed: at the end of the process the device's driver may be gone before it.
    static auto* const cublas = new CublasLt;
    return *cublas;
  }

  void multiply(cudaStream_t stream, const CublasLtProduct& p, float alpha, float beta, const CublasLtOperands& o) {
    const std::lock_guard lock(mutex_);
    const Entry& entry = find(stream, p, alpha, beta, o);
    set_scales(p, entry.description, o);
    run(stream, p, entry, entry.algorithm, alpha, beta, o);
    ++count_;
  }

  std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

  void set_measuring(bool measures) {
    const std::lock_guard lock(mutex_);
    measures_ = measures;
  }

  std::vector<CublasLtChoice> choices() const {
    const std::lock_guard lock(mutex_);
    std::vector<CublasLtChoice> all;
    for (const auto& [product, entry] : entries_) {
      CublasLtChoice choice{product, {}};
      static_assert(sizeof(choice.algorithm) == sizeof(entry.algorithm.data));
      std::memcpy(choice.algorithm, entry.algorithm.data, sizeof(choice.algorithm));
      all.push_back(choice);
    }
    return all;
  }

  void restore(const std::vector<CublasLtChoice>& choices) {
    const std::lock_guard lock(mutex_);
    for (const CublasLtChoice& choice : choices) {
      Entry entry{describe(choice.product), {}};
      std::memcpy(entry.algorithm.data, choice.algorithm, sizeof(choice.algorithm));
      entries_.insert_or_assign(choice.product, std::move(entry));
    }
  }

 private:
  struct Entry {
    Description description;
    cublasLtMatmulAlgo_t algorithm;
  };

  CublasLt() { check_cublas(cublasLtCreate(&handle_), "cublasLtCreate", {}); }

  const Entry& find(cudaStream_t stream, const CublasLtProduct& p, float alpha, float beta, const CublasLtOperands& o) {
    const auto known = entries_.find(p);
    if (known != entries_.end()) return known->second;
    Entry entry{describe(p), {}};
    set_scales(p, entry.description, o);
    const std::vector<cublasLtMatmulAlgo_t> algorithms = propose(handle_, p, entry.description);
    const bool can_be_repeated = beta == 0.0F || o.source != o.result;
    entry.algorithm = measures_ && can_be_repeated ? fastest(stream, p, entry, algorithms, alpha, beta, o)
                                                   : like_without_addition(p, algorithms);
    return entries_.emplace(p, std::move(entry)).first->second;
  }

  /// The algorithm of the same product without an addition, if there is one, or the first.
  cublasLtMatmulAlgo_t like_without_addition(CublasLtProduct p, const std::vector<cublasLtMatmulAlgo_t>& algorithms) {
    p.is_added_to = false;
    const auto sibling = entries_.find(p);
    return sibling == entries_.end() ? algorithms.front() : sibling->second.algorithm;
  }

  cublasLtMatmulAlgo_t fastest(cudaStream_t stream, const CublasLtProduct& p, const Entry& entry,
                               const std::vector<cublasLtMatmulAlgo_t>& algorithms, float alpha, float beta,
                               const CublasLtOperands& o) {
    const Event begin = make_event();
    const Event end = make_event();
    std::size_t best = 0;
    float least = 0.0F;
    for (std::size_t i = 0; i < algorithms.size(); ++i) {
      run(stream, p, entry, algorithms[i], alpha, beta, o);
      check_cuda(cudaEventRecord(begin.get(), stream), "cudaEventRecord");
      for (int j = 0; j < timed_runs; ++j) run(stream, p, entry, algorithms[i], alpha, beta, o);
      check_cuda(cudaEventRecord(end.get(), stream), "cudaEventRecord");
      check_cuda(cudaEventSynchronize(end.get()), "cudaEventSynchronize");
      float milliseconds = 0.0F;
      check_cuda(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "cudaEventElapsedTime");
      if (i == 0 || milliseconds < least) {
        least = milliseconds;
        best = i;
      }
    }
    return algorithms[best];
  }

  void run(cudaStream_t stream, const CublasLtProduct& p, const Entry& entry, const cublasLtMatmulAlgo_t& algorithm,
           float alpha, float beta, const CublasLtOperands& o) {
    const Description& d = entry.description;
    check_cublas(cublasLtMatmul(handle_, d.operation.get(), &alpha, o.b, d.first.get(), o.a, d.second.get(), &beta,
                                o.source, d.source.get(), o.result, d.result.get(), &algorithm, workspace(stream),
                                cublaslt_workspace_bytes, stream),
                 "cublasLtMatmul", p);
  }

  // Products on different streams may run at once and must not share scratch.
  void* workspace(cudaStream_t stream) {
    void*& memory = workspaces_[stream];
    if (memory == nullptr)
      check_cuda(cudaMalloc(&memory, cublaslt_workspace_bytes), "cudaMalloc (scratch of cuBLASLt)");
    return memory;
  }

  mutable std::mutex mutex_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<cudaStream_t, void*> workspaces_;  // given back with the process's device context
  std::map<CublasLtProduct, Entry> entries_;
  std::uint64_t count_ = 0;
  bool measures_ = true;
};

}  // namespace

void cublaslt_product(cudaStream_t stream, const CublasLtProduct& product, float alpha, float beta,
                      const CublasLtOperands& operands) {
  CublasLt::instance().multiply(stream, product, alpha, beta, operands);
}

void set_cublaslt_measuring(bool measures) { CublasLt::instance().set_measuring(measures); }

std::uint64_t cublaslt_product_count() { return CublasLt::instance().count(); }

std::string cublaslt_environment() {
  int device = 0;
  check_cuda(cudaGetDevice(&device), "cudaGetDevice");
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return "cuBLASLt " + std::to_string(cublasLtGetVersion()) + ", " + properties.name;
}

std::vector<CublasLtChoice> cublaslt_choices() { return CublasLt::instance().choices(); }

void restore_cublaslt_choices(const std::vector<CublasLtChoice>& choices) { CublasLt::instance().restore(choices); }

}  // namespace Sward
