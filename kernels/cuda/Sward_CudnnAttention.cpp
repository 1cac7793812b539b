// The only file that includes cuDNN's front end: its attention graphs take a minute to compile.
#include "Sward_CudnnAttention.hpp"

#include <cuda_runtime_api.h>
#include <cudnn_frontend.h>

#include <array>
#include <cmath>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace Sward {
namespace {

namespace frontend = cudnn_frontend;
using frontend::graph::Graph;
using Tensor = std::shared_ptr<frontend::graph::Tensor_attributes>;

std::string describe(const CudnnAttentionProblem& p) {
  return "attention of " + std::to_string(p.sequences) + " sequences x " + std::to_string(p.length) + " tokens, " +
         std::to_string(p.heads) + " heads (" + std::to_string(p.key_value_heads) + " of keys and values) of " +
         std::to_string(p.head_size) + ", rows of query, key, value and output " + std::to_string(p.query_stride) +
         ", " + std::to_string(p.key_stride) + ", " + std::to_string(p.value_stride) + ", " +
         std::to_string(p.output_stride) + " apart";
}

std::string describe(const CudnnAttentionGradientProblem& p) {
  return std::string(p.deterministic ? "deterministic" : "fastest") + " backward pass of " + describe(p.attention) +
         ", of their gradients " + std::to_string(p.query_gradient_stride) + ", " +
         std::to_string(p.key_gradient_stride) + ", " + std::to_string(p.value_gradient_stride) + ", " +
         std::to_string(p.output_gradient_stride);
}

void require_success(cudaError_t status, const char* call) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(status));
}

void require_success(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  std::array<char, 1024> last{};
  cudnnGetLastErrorString(last.data(), last.size());
  throw std::runtime_error(std::string(call) + ": " + cudnnGetErrorString(status) + " " + last.data());
}

void require_success(frontend::error_object status, const char* call) {
  if (!status.is_good()) throw std::runtime_error(std::string(call) + ": " + status.get_message());
}

/// Calls the function; an error of CUDA, cuDNN or its front end then tells what was asked for.
template <class Problem, class Function>
decltype(auto) explain_errors(const Problem& problem, const Function& function) try {
  return function();
} catch (const std::exception& error) {
  throw std::runtime_error("Sward::cudnn_attention: cuDNN " + std::to_string(cudnnGetVersion()) + ", " + error.what() +
                           " (" + describe(problem) + ")");
}

/// Makes a device the thread's current one for its own lifetime.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device) {
    require_success(cudaGetDevice(&previous_), "cudaGetDevice");
    if (previous_ != device) require_success(cudaSetDevice(device), "cudaSetDevice");
  }
  ~CurrentDevice() { cudaSetDevice(previous_); }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  int previous_ = 0;
};

/// A matrix of tokens x heads * head_size as cuDNN names its elements: (sequence, head, token, column).
frontend::graph::Tensor_attributes token_rows(const char* name, int uid, const CudnnAttentionProblem& p,
                                              std::int64_t heads, std::int64_t stride) {
  return frontend::graph::Tensor_attributes()
      .set_name(name)
      .set_uid(uid)
      .set_data_type(frontend::DataType_t::BFLOAT16)
      .set_dim({p.sequences, heads, p.length, p.head_size})
      .set_stride({p.length * stride, p.head_size, stride, 1});
}

/// Before 9.26 cuDNN's backward pass reads the statistics in this order only.
frontend::graph::Tensor_attributes statistics(int uid, const CudnnAttentionProblem& p) {
  return frontend::graph::Tensor_attributes()
      .set_name("logsumexp")
      .set_uid(uid)
      .set_data_type(frontend::DataType_t::FLOAT)
      .set_dim({p.sequences, p.heads, p.length, 1})
      .set_stride({p.heads * p.length, p.length, 1, 1});
}

/// Gives a tensor that a graph has made the place of the caller's memory.
void set_output(const Tensor& tensor, const frontend::graph::Tensor_attributes& place) {
  tensor->set_output(true)
      .set_uid(place.get_uid())
      .set_data_type(place.get_data_type())
      .set_dim(place.get_dim())
      .set_stride(place.get_stride());
}

float score_scale(const CudnnAttentionProblem& p) {
  return static_cast<float>(1 / std::sqrt(static_cast<double>(p.head_size)));
}

/// Every query sees the keys up to its own place, as both kinds of options say it.
template <class Options>
Options causal_options(const char* name, const CudnnAttentionProblem& p) {
  Options options;
  options.set_name(name);
  options.set_attn_scale(score_scale(p));
  options.set_diagonal_alignment(frontend::DiagonalAlignment_t::TOP_LEFT).set_diagonal_band_right_bound(0);
  return options;
}

// The number of a tensor is its place among the pointers of an execution.
void describe_graph(Graph& graph, const CudnnAttentionProblem& p) {
  const Tensor query = graph.tensor(token_rows("query", 1, p, p.heads, p.query_stride));
  const Tensor key = graph.tensor(token_rows("key", 2, p, p.key_value_heads, p.key_stride));
  const Tensor value = graph.tensor(token_rows("value", 3, p, p.key_value_heads, p.value_stride));
  auto options = causal_options<frontend::graph::SDPA_attributes>("attention", p);
  options.set_generate_stats(true);
  const auto [output, logsumexp] = graph.sdpa(query, key, value, options);
  set_output(output, token_rows("output", 4, p, p.heads, p.output_stride));
  set_output(logsumexp, statistics(5, p));
}

void describe_graph(Graph& graph, const CudnnAttentionGradientProblem& problem) {
  const CudnnAttentionProblem& p = problem.attention;
  const Tensor query = graph.tensor(token_rows("query", 1, p, p.heads, p.query_stride));
  const Tensor key = graph.tensor(token_rows("key", 2, p, p.key_value_heads, p.key_stride));
  const Tensor value = graph.tensor(token_rows("value", 3, p, p.key_value_heads, p.value_stride));
  const Tensor output = graph.tensor(token_rows("output", 4, p, p.heads, p.output_stride));
  const Tensor logsumexp = graph.tensor(statistics(5, p));
  const Tensor above = graph.tensor(token_rows("output_gradient", 6, p, p.heads, problem.output_gradient_stride));
  auto options = causal_options<frontend::graph::SDPA_backward_attributes>("attention_backward", p);
  options.set_deterministic_algorithm(problem.deterministic);
  const auto [query_gradient, key_gradient, value_gradient] =
      graph.sdpa_backward(query, key, value, output, above, logsumexp, options);
  set_output(query_gradient, token_rows("query_gradient", 7, p, p.heads, problem.query_gradient_stride));
  set_output(key_gradient, token_rows("key_gradient", 8, p, p.key_value_heads, problem.key_gradient_stride));
  set_output(value_gradient, token_rows("value_gradient", 9, p, p.key_value_heads, problem.value_gradient_stride));
}

struct Plan {
  Graph graph;
  std::size_t workspace_bytes = 0;
};

template <class Problem>
std::unique_ptr<Plan> build_plan(cudnnHandle_t handle, const Problem& problem) {
  auto plan = std::make_unique<Plan>();
  Graph& graph = plan->graph;
  graph.set_io_data_type(frontend::DataType_t::BFLOAT16)
      .set_intermediate_data_type(frontend::DataType_t::FLOAT)
      .set_compute_data_type(frontend::DataType_t::FLOAT);
  describe_graph(graph, problem);
  require_success(graph.validate(), "validate");
  require_success(graph.build_operation_graph(handle), "build_operation_graph");
  require_success(graph.create_execution_plans({frontend::HeurMode_t::A}), "create_execution_plans");
  require_success(graph.check_support(), "check_support");
  require_success(graph.build_plans(), "build_plans");
  std::int64_t bytes = 0;
  require_success(graph.get_workspace_size(bytes), "get_workspace_size");
  plan->workspace_bytes = static_cast<std::size_t>(bytes);
  return plan;
}

/// All plans of the process, and a handle for each device. Built when first asked for, kept to the end.
class PlanCache {
 public:
  static PlanCache& instance() {
    // Never destroyed: at the end of the process the CUDA context may be gone before it.
    static PlanCache* const cache = new PlanCache;
    return *cache;
  }

  template <class Problem>
  std::size_t workspace_bytes(const Problem& problem) {
    const std::lock_guard lock(mutex_);
    return explain_errors(problem, [&] {
      int device = 0;
      require_success(cudaGetDevice(&device), "cudaGetDevice");
      return find_plan(device, problem).workspace_bytes;
    });
  }

  /// `pointers` in the order of the tensors' numbers.
  template <class Problem, std::size_t Count>
  void execute(const CudnnQueue& queue, const Problem& problem, std::array<void*, Count> pointers,
               const CudnnWorkspace& workspace) {
    const std::lock_guard lock(mutex_);
    const CurrentDevice current(queue.device);
    const Plan& plan = explain_errors(problem, [&]() -> const Plan& { return find_plan(queue.device, problem); });
    if (workspace.bytes < plan.workspace_bytes)
      throw std::invalid_argument("Sward::cudnn_attention: the workspace has " + std::to_string(workspace.bytes) +
                                  " bytes, wanted " + std::to_string(plan.workspace_bytes) + " (" + describe(problem) +
                                  ")");
    explain_errors(problem, [&] {
      const cudnnHandle_t handle = find_handle(queue.device);
      require_success(cudnnSetStream(handle, queue.stream), "cudnnSetStream");
      require_success(plan.graph.execute(handle, pointers.data(), static_cast<int>(Count), workspace.data), "execute");
    });
  }

 private:
  template <class Problem>
  using Plans = std::map<std::pair<int, Problem>, std::unique_ptr<Plan>>;

  Plans<CudnnAttentionProblem>& plans_for(const CudnnAttentionProblem&) { return forward_; }
  Plans<CudnnAttentionGradientProblem>& plans_for(const CudnnAttentionGradientProblem&) { return backward_; }

  template <class Problem>
  const Plan& find_plan(int device, const Problem& problem) {
    auto& plans = plans_for(problem);
    const std::pair key(device, problem);
    auto found = plans.find(key);
    if (found == plans.end()) found = plans.emplace(key, build_plan(find_handle(device), problem)).first;
    return *found->second;
  }

  cudnnHandle_t find_handle(int device) {
    const auto found = handles_.find(device);
    if (found != handles_.end()) return found->second;
    cudnnHandle_t handle = nullptr;
    require_success(cudnnCreate(&handle), "cudnnCreate");
    handles_.emplace(device, handle);
    return handle;
  }

  std::mutex mutex_;
  std::map<int, cudnnHandle_t> handles_;
  Plans<CudnnAttentionProblem> forward_;
  Plans<CudnnAttentionGradientProblem> backward_;
};

/// cuDNN takes the addresses of inputs, too, as those of memory that may change.
void* address(const void* data) { return const_cast<void*>(data); }

}  // namespace

bool has_cuda_device() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

std::size_t cudnn_attention_workspace_bytes(const CudnnAttentionProblem& problem) {
  return PlanCache::instance().workspace_bytes(problem);
}

std::size_t cudnn_attention_workspace_bytes(const CudnnAttentionGradientProblem& problem) {
  return PlanCache::instance().workspace_bytes(problem);
}

void cudnn_attention(const CudnnQueue& queue, const CudnnAttentionProblem& problem, const CudnnAttentionOperands& o,
                     const CudnnWorkspace& workspace) {
  const std::array pointers{address(o.query), address(o.key), address(o.value), o.output, o.logsumexp};
  PlanCache::instance().execute(queue, problem, pointers, workspace);
}

void cudnn_attention_backward(const CudnnQueue& queue, const CudnnAttentionGradientProblem& problem,
                              const CudnnAttentionGradientOperands& o, const CudnnWorkspace& workspace) {
  const std::array pointers{address(o.query),  address(o.key),       address(o.value),
                            address(o.output), address(o.logsumexp), address(o.output_gradient),
                            o.query_gradient,  o.key_gradient,       o.value_gradient};
  PlanCache::instance().execute(queue, problem, pointers, workspace);
}

}  // namespace Sward
