#include <cuda_runtime.h>

#include "Sward_RotaryRows.hpp"
#include "Sward_ShortAttention.hpp"
#include "Sward_ShortAttentionGradient.hpp"
#include "Sward_ShortAttentionLaunch.hpp"
#include "Sward_ShortAttentionParts.hpp"
#include "Sward_TensorMap.hpp"
#include "Sward_WarpgroupProduct.hpp"

namespace Sward {

namespace {

template <int head_size>
constexpr int warpgroups = head_size == 64 ? 3 : 2;

/// One head of one sequence: all of its operands lie in shared memory. Of 256 tokens they leave 124 KB to the
/// first-level cache, where the rotary tables are: little more would leave 92, and is slower.
template <int head_size>
struct WholeHead {
  Panels<head_size> queries, keys;
  std::uint32_t barriers;  ///< of the first panels, and of the second ones
  Statistics* statistics;
  int* next_item;

  __device__ WholeHead(unsigned char* memory, int rows) : WholeHead(shared_address(memory), rows) {
    unsigned char* const rest = memory + 4 * Panel<head_size>::bytes(rows);
    barriers = shared_address(rest);
    statistics = reinterpret_cast<Statistics*>(rest + 2 * barrier_bytes);
    next_item = reinterpret_cast<int*>(statistics + rows);
  }

  static int bytes(int rows) {
    return 4 * Panel<head_size>::bytes(rows) + static_cast<int>(2 * barrier_bytes) +
           rows * static_cast<int>(sizeof(Statistics)) + (1 + warpgroups<head_size>)*static_cast<int>(sizeof(int));
  }

 private:
  __device__ WholeHead(std::uint32_t address, int rows)
      : queries{Panel<head_size>(address, rows), Panel<head_size>(address + Panel<head_size>::bytes(rows), rows)},
        keys{Panel<head_size>(address + 2 * Panel<head_size>::bytes(rows), rows),
             Panel<head_size>(address + 3 * Panel<head_size>::bytes(rows), rows)} {}

  __device__ static std::uint32_t shared_address(const unsigned char* memory) {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(memory));
  }
};

/// By one thread: starts the loading of a head.
template <int head_size>
__device__ __forceinline__ void start_head(const BackwardOperands& o, const WholeHead<head_size>& panels, int rows,
                                           int token, int head) {
  create_barrier(panels.barriers, 1);
  create_barrier(panels.barriers + barrier_bytes, 1);
  publish_barriers();
  arrive_and_expect(panels.barriers, 2 * Panel<head_size>::bytes(rows));
  load_rows(o.packed_map, panels.queries.first, panels.barriers, head * head_size, token, rows);
  load_rows(o.packed_map, panels.keys.first, panels.barriers, o.key_column(head), token, rows);
  arrive_and_expect(panels.barriers + barrier_bytes, 2 * Panel<head_size>::bytes(rows));
  load_rows(o.output_gradient_map, panels.queries.second, panels.barriers + barrier_bytes, head * head_size, token,
            rows);
  load_rows(o.packed_map, panels.keys.second, panels.barriers + barrier_bytes, o.value_column(head), token, rows);
}

template <int head_size>
__device__ __forceinline__ void load_head(const BackwardOperands& o, const WholeHead<head_size>& panels, int rows,
                                          int sequence, int head) {
  constexpr int threads = warpgroups<head_size> * warpgroup_threads;
  const ShortAttentionShape& shape = o.shape;
  const std::int64_t token = std::int64_t{sequence} * shape.length;
  if (threadIdx.x == 0) start_head(o, panels, rows, static_cast<int>(token), head);
  QueryOutputs<head_size, threads, (2048 + threads - 1) / threads> outputs{
      o.output + token * shape.output_stride + head * head_size,
      shape.output_stride,
      o.logsumexp + token * shape.heads + head,
      shape.heads,
      rows,
      shape.length,
      {},
      {}};
  outputs.load(0);
  RowRotation<head_size, threads, (1024 + threads - 1) / threads> rotation{o.cosine, o.sine, shape.length, {}};
  rotation.load(0);
  __syncthreads();
  wait_for_phase(panels.barriers, 0);
  rotation.apply_all(0, panels.queries.first, panels.keys.first);
  wait_for_phase(panels.barriers + barrier_bytes, 0);
  outputs.finish_all(panels.statistics, panels.queries.second, 0);
}

template <int head_size>
__device__ __forceinline__ void key_block(const BackwardOperands& o, const WholeHead<head_size>& head, int block,
                                          int blocks, int sequence, int number) {
  const float scale = rsqrtf(static_cast<float>(head_size));
  const TilePlace place;
  float key_sum[head_size / 2] = {};
  float value_sum[head_size / 2] = {};
#pragma unroll 1
  for (int queries = block * tile_rows; queries < blocks * tile_rows; queries += tile_rows)
    add_tile<Side::keys, head_size, tile_rows>(key_sum, value_sum, head.keys, block * tile_rows, head.queries, queries,
                                               head.statistics + queries, place, scale * log2_of_e,
                                               queries - block * tile_rows);
  write_gradient<head_size, Part::values>(o, value_sum, 1, sequence, block * tile_rows, place, number);
  write_gradient<head_size, Part::keys>(o, key_sum, scale, sequence, block * tile_rows, place, number);
}

template <int head_size>
__device__ __forceinline__ void query_block(const BackwardOperands& o, const WholeHead<head_size>& head, int block,
                                            int sequence, int number) {
  const float scale = rsqrtf(static_cast<float>(head_size));
  const TilePlace place;
  float sum[head_size / 2] = {};
  float none[head_size / 2] = {};
#pragma unroll 1
  for (int keys = 0; keys < (block + 1) * tile_rows; keys += tile_rows)
    add_tile<Side::queries, head_size, tile_rows>(sum, none, head.queries, block * tile_rows, head.keys, keys,
                                                  head.statistics + block * tile_rows, place, scale * log2_of_e,
                                                  keys - block * tile_rows);
  write_gradient<head_size, Part::queries>(o, sum, scale, sequence, block * tile_rows, place, number);
}

/// What the block of threads that will follow on this multiprocessor reads: all of it together is a fraction of the
/// second-level cache, and on its way while this block computes.
template <int head_size>
__device__ __forceinline__ void prefetch_head(const BackwardOperands& o, unsigned number) {
  const ShortAttentionShape& shape = o.shape;
  if (number >= static_cast<unsigned>(shape.sequences * shape.heads)) return;
  const int sequence = static_cast<int>(number) / shape.heads;
  const int head = static_cast<int>(number) % shape.heads;
  const int token = sequence * shape.length;
  if (threadIdx.x == 0) {
    prefetch_rows<head_size>(o.packed_map, head * head_size, token, shape.length);
    prefetch_rows<head_size>(o.packed_map, o.key_column(head), token, shape.length);
    prefetch_rows<head_size>(o.packed_map, o.value_column(head), token, shape.length);
    prefetch_rows<head_size>(o.output_gradient_map, head * head_size, token, shape.length);
  }
  for (int row = static_cast<int>(threadIdx.x); row < shape.length; row += warpgroups<head_size> * warpgroup_threads)
#pragma unroll
    for (int column = head * head_size; column < (head + 1) * head_size; column += 64)
      prefetch_line(o.output + std::int64_t{token + row} * shape.output_stride + column);
}

/// The next piece of work for a warpgroup: the same number for all its threads.
__device__ __forceinline__ int take_item(int* next_item, int warpgroup) {
  int* const taken = next_item + 1 + warpgroup;
  if (threadIdx.x % warpgroup_threads == 0) *taken = atomicAdd(next_item, 1);
  wait_for_warpgroup(warpgroup);
  const int item = __shfl_sync(0xffffffffU, *reinterpret_cast<volatile int*>(taken), 0);
  wait_for_warpgroup(warpgroup);
  return item;
}

/// A block of threads has one head of one sequence. Its warpgroups take blocks of 64 keys and of 64 queries, the ones
/// with most tiles first; who takes which changes no result.
template <int head_size>
__global__ void __launch_bounds__(warpgroups<head_size>* warpgroup_threads, 1)
    whole_head_kernel(const __grid_constant__ BackwardOperands o) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const int blocks = (o.shape.length + tile_rows - 1) / tile_rows;
  const WholeHead<head_size> head(memory, blocks * tile_rows);
  const int number = static_cast<int>(blockIdx.x);
  const int sequence = static_cast<int>(blockIdx.y);
  if (threadIdx.x == 0) *head.next_item = 0;
  load_head(o, head, blocks * tile_rows, sequence, number);
  publish_to_products();
  prefetch_head<head_size>(o, blockIdx.y * gridDim.x + blockIdx.x + o.resident_blocks);
  const int warpgroup = __shfl_sync(0xffffffffU, static_cast<int>(threadIdx.x) / warpgroup_threads, 0);
  for (int item = take_item(head.next_item, warpgroup); item < 2 * blocks;
       item = take_item(head.next_item, warpgroup)) {
    if (item % 2 == 0)
      key_block(o, head, item / 2, blocks, sequence, number);
    else
      query_block(o, head, blocks - 1 - item / 2, sequence, number);
  }
}

constexpr int most_shared_bytes = 227 * 1024;

template <int head_size>
void launch(cudaStream_t stream, const BackwardOperands& o) {
  const int blocks = (o.shape.length + tile_rows - 1) / tile_rows;
  const int bytes = WholeHead<head_size>::bytes(blocks * tile_rows);
  const auto sequences = static_cast<unsigned>(o.shape.sequences);
  const char* const name = "Sward::short_attention_backward";
  if (o.shape.heads == o.shape.key_value_heads && bytes <= most_shared_bytes) {
    launch_kernel(name, stream, whole_head_kernel<head_size>, dim3(static_cast<unsigned>(o.shape.heads), sequences),
                  warpgroups<head_size> * warpgroup_threads, bytes, o);
    return;
  }
  const int part_bytes = Parts<head_size>::bytes(blocks * tile_rows);
  const auto pairs = static_cast<unsigned>((blocks + 1) / 2);
  launch_kernel(name, stream, part_kernel<head_size, Side::keys>,
                dim3(static_cast<unsigned>(o.shape.key_value_heads), sequences, pairs), part_threads, part_bytes, o);
  launch_kernel(name, stream, part_kernel<head_size, Side::queries>,
                dim3(static_cast<unsigned>(o.shape.heads), sequences, pairs), part_threads, part_bytes, o);
}

}  // namespace

void short_attention_backward(cudaStream_t stream, const ShortAttentionShape& shape, const void* packed,
                              const float* cosine, const float* sine, const void* output, const float* logsumexp,
                              const void* output_gradient, void* packed_gradient) {
  require_served("Sward::short_attention_backward", shape);
  if (shape.sequences == 0) return;
  const std::int64_t tokens = std::int64_t{shape.sequences} * shape.length;
  const std::int64_t columns = std::int64_t{shape.heads + 2 * shape.key_value_heads} * shape.head_size;
  const BackwardOperands operands{
      shape,
      static_cast<const std::uint16_t*>(packed),
      cosine,
      sine,
      static_cast<const std::uint16_t*>(output),
      logsumexp,
      static_cast<const std::uint16_t*>(output_gradient),
      static_cast<std::uint16_t*>(packed_gradient),
      map_tiles({packed, tokens, columns, shape.packed_stride}, tile_rows),
      map_tiles({output_gradient, tokens, std::int64_t{shape.heads} * shape.head_size, shape.output_gradient_stride},
                tile_rows),
      0};
  if (shape.head_size == 64)
    launch<64>(stream, operands);
  else
    launch<128>(stream, operands);
}

}  // namespace Sward
