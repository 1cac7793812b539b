#include "Sward_ShortAttention.hpp"

#include <cuda_runtime.h>

#include "Sward_RotaryRows.hpp"
#include "Sward_ShortAttentionLaunch.hpp"
#include "Sward_TensorMap.hpp"
#include "Sward_WarpgroupProduct.hpp"

namespace Sward {

namespace {

constexpr int warpgroups = 2;
constexpr int block_threads = warpgroups * warpgroup_threads;

struct ForwardOperands {
  ShortAttentionShape shape;
  const std::uint16_t* packed;
  const float* cosine;
  const float* sine;
  std::uint16_t* output;
  float* logsumexp;
  CUtensorMap map;  ///< of `packed`, in tiles of 64 rows
  unsigned resident_blocks;
};

template <int head_size>
struct ForwardPanels {
  Panel<head_size> query, key, value;

  __device__ ForwardPanels(std::uint32_t address, int rows)
      : query(address, rows),
        key(address + Panel<head_size>::bytes(rows), rows),
        value(address + 2 * Panel<head_size>::bytes(rows), rows) {}
};

/// All of the head's q, k and v into shared memory. `barriers` are two, in shared memory too.
template <int head_size>
__device__ __forceinline__ void load_panels(const ForwardOperands& o, const ForwardPanels<head_size>& panels,
                                            std::uint32_t barriers, int rows, int sequence, int head, int key_head) {
  const ShortAttentionShape& shape = o.shape;
  if (threadIdx.x == 0) {
    const int token = sequence * shape.length;
    create_barrier(barriers, 1);
    create_barrier(barriers + barrier_bytes, 1);
    publish_barriers();
    arrive_and_expect(barriers, 2 * Panel<head_size>::bytes(rows));
    load_rows(o.map, panels.query, barriers, head * head_size, token, rows);
    load_rows(o.map, panels.key, barriers, (shape.heads + key_head) * head_size, token, rows);
    arrive_and_expect(barriers + barrier_bytes, Panel<head_size>::bytes(rows));
    load_rows(o.map, panels.value, barriers + barrier_bytes,
              (shape.heads + shape.key_value_heads + key_head) * head_size, token, rows);
  }
  RowRotation<head_size, block_threads, 1024 / block_threads> rotation{o.cosine, o.sine, shape.length, {}};
  rotation.load(0);
  __syncthreads();
  wait_for_phase(barriers, 0);
  rotation.apply_all(0, panels.query, panels.key);
  wait_for_phase(barriers + barrier_bytes, 0);
}

/// What the block of threads that will follow on this multiprocessor reads: all of it together is a fraction of the
/// second-level cache, and on its way while this block computes.
template <int head_size>
__device__ __forceinline__ void prefetch_panels(const ForwardOperands& o, unsigned number) {
  const ShortAttentionShape& shape = o.shape;
  if (number >= static_cast<unsigned>(shape.sequences * shape.heads)) return;
  const int sequence = static_cast<int>(number) / shape.heads;
  const int head = static_cast<int>(number) % shape.heads;
  const int key_head = head / (shape.heads / shape.key_value_heads);
  const int token = sequence * shape.length;
  if (threadIdx.x != 0) return;
  prefetch_rows<head_size>(o.map, head * head_size, token, shape.length);
  prefetch_rows<head_size>(o.map, (shape.heads + key_head) * head_size, token, shape.length);
  prefetch_rows<head_size>(o.map, (shape.heads + shape.key_value_heads + key_head) * head_size, token, shape.length);
}

/// Softmax so far of the thread's two rows: maximum of the scores, and the thread's part of the sum.
struct RunningSoftmax {
  float maximum[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};
};

/// Scores become e^(score - maximum so far); what was summed up before shrinks. `scale` has the factor log2(e) in it.
template <int values>
__device__ __forceinline__ void add_to_softmax(RunningSoftmax& softmax, float (&scores)[tile_values],
                                               float (&output)[values], float scale) {
#pragma unroll
  for (int part = 0; part < 2; ++part) {
    float largest = softmax.maximum[part];
#pragma unroll
    for (int n = 0; n < 8; ++n) largest = fmaxf(largest, fmaxf(scores[4 * n + 2 * part], scores[4 * n + 2 * part + 1]));
    largest = row_maximum(largest);
    const float shrink = power_of_two((softmax.maximum[part] - largest) * scale);
    softmax.maximum[part] = largest;
    float sum = 0;
#pragma unroll
    for (int n = 0; n < 8; ++n)
#pragma unroll
      for (int i = 4 * n + 2 * part; i < 4 * n + 2 * part + 2; ++i) {
        scores[i] = power_of_two(scores[i] * scale - largest * scale);
        sum += scores[i];
      }
    softmax.sum[part] = softmax.sum[part] * shrink + sum;
#pragma unroll
    for (int i = 0; i < values; ++i)
      if (i % 4 / 2 == part) output[i] *= shrink;
  }
}

/// Keys after the query do not count.
__device__ __forceinline__ void mask_later_keys(float (&scores)[tile_values], const TilePlace& place) {
#pragma unroll
  for (int i = 0; i < tile_values; ++i)
    if (8 * (i / 4) + place.column + i % 2 > place.row + i % 4 / 2 * 8) scores[i] = -INFINITY;
}

template <int head_size>
__device__ __forceinline__ void attend(const ForwardOperands& o, const ForwardPanels<head_size>& panels, int block,
                                       int sequence, int head) {
  constexpr float log2_of_e = 1.4426950408889634F;
  const float scale = log2_of_e * rsqrtf(static_cast<float>(head_size));
  const TilePlace place;
  RunningSoftmax softmax;
  float sum[head_size / 2] = {};
  for (int keys = 0; keys <= block; ++keys) {
    float scores[tile_values];
    begin_products();
    multiply_rows(scores, panels.query, block * tile_rows, panels.key, keys * tile_rows);
    end_group();
    wait_for_products<0>(scores);
    if (keys == block) mask_later_keys(scores, place);
    add_to_softmax(softmax, scores, sum, scale);
    std::uint32_t weights[4][4];
    pack_tile(weights, scores);
    begin_products();
    add_rows<head_size>(sum, weights, panels.value, keys * tile_rows);
    end_group();
    wait_for_products<0>(sum);
  }
#pragma unroll
  for (int part = 0; part < 2; ++part) {
    const int row = block * tile_rows + place.row + 8 * part;
    const bool is_valid = row < o.shape.length;
    const std::int64_t token = std::int64_t{sequence} * o.shape.length + row;
    const float total = row_sum(softmax.sum[part]);
    float values[head_size / 32][8];
    gather_row<head_size>(values, sum, part, 1 / total);
    if (is_valid) write_row<head_size>(values, o.output + token * o.shape.output_stride + head * head_size);
    if (is_valid && place.column == 0)
      o.logsumexp[token * o.shape.heads + head] = (softmax.maximum[part] * scale + log2f(total)) / log2_of_e;
  }
}

/// A block of threads has one head of one sequence, a warpgroup 64 queries at a time.
template <int head_size>
__global__ void __launch_bounds__(block_threads, head_size == 64 ? 2 : 1)
    attention_kernel(const __grid_constant__ ForwardOperands o) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const int blocks = (o.shape.length + tile_rows - 1) / tile_rows;
  const ForwardPanels<head_size> panels(static_cast<std::uint32_t>(__cvta_generic_to_shared(memory)),
                                        blocks * tile_rows);
  const int head = static_cast<int>(blockIdx.x);
  const int sequence = static_cast<int>(blockIdx.y);
  const std::uint32_t barriers = static_cast<std::uint32_t>(__cvta_generic_to_shared(memory)) +
                                 3 * static_cast<std::uint32_t>(Panel<head_size>::bytes(blocks * tile_rows));
  load_panels(o, panels, barriers, blocks * tile_rows, sequence, head,
              head / (o.shape.heads / o.shape.key_value_heads));
  publish_to_products();
  prefetch_panels<head_size>(o, blockIdx.y * gridDim.x + blockIdx.x + o.resident_blocks);
  // Later queries see more keys: to and fro among the warpgroups, from the last block on, is nearly even.
  const int warpgroup = __shfl_sync(0xffffffffU, static_cast<int>(threadIdx.x) / warpgroup_threads, 0);
  for (int round = 0; round * warpgroups < blocks; ++round) {
    const int turn = round % 2 == 0 ? warpgroup : warpgroups - 1 - warpgroup;
    const int block = blocks - 1 - (round * warpgroups + turn);
    if (block >= 0) attend<head_size>(o, panels, block, sequence, head);
  }
}

template <int head_size>
void launch(cudaStream_t stream, ForwardOperands o) {
  const int rows = (o.shape.length + tile_rows - 1) / tile_rows * tile_rows;
  launch_kernel("Sward::short_attention", stream, attention_kernel<head_size>,
                dim3(static_cast<unsigned>(o.shape.heads), static_cast<unsigned>(o.shape.sequences)), block_threads,
                3 * Panel<head_size>::bytes(rows) + 2 * static_cast<int>(barrier_bytes), o);
}

}  // namespace

bool short_attention_serves(const ShortAttentionShape& shape) {
  const auto is_aligned = [](std::int64_t stride) { return stride > 0 && stride % 8 == 0; };
  return shape.sequences >= 0 && shape.sequences < 65536 && shape.length > 0 && shape.key_value_heads > 0 &&
         shape.heads > 0 && shape.heads % shape.key_value_heads == 0 &&
         ((shape.head_size == 64 && shape.length <= 512) || (shape.head_size == 128 && shape.length <= 256)) &&
         is_aligned(shape.packed_stride) && is_aligned(shape.output_stride) &&
         is_aligned(shape.packed_gradient_stride) && is_aligned(shape.output_gradient_stride);
}

void short_attention(cudaStream_t stream, const ShortAttentionShape& shape, const void* packed, const float* cosine,
                     const float* sine, void* output, float* logsumexp) {
  require_served("Sward::short_attention", shape);
  if (shape.sequences == 0) return;
  const ForwardOperands operands{
      shape,
      static_cast<const std::uint16_t*>(packed),
      cosine,
      sine,
      static_cast<std::uint16_t*>(output),
      logsumexp,
      map_tiles({packed, std::int64_t{shape.sequences} * shape.length,
                 std::int64_t{shape.heads + 2 * shape.key_value_heads} * shape.head_size, shape.packed_stride},
                tile_rows),
      0};
  if (shape.head_size == 64)
    launch<64>(stream, operands);
  else
    launch<128>(stream, operands);
}

}  // namespace Sward
