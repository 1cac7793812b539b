#!/usr/bin/env python3
"""The model of a step finds the constants again that made the times, and agrees with counts that are known."""

import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))
import model

SHAPE = dict(hidden_size=64, intermediate_size=160, num_layers=3, vocab_size=32)


def made_lines(machine, bandwidths):
    """What measure.py would have written on such a machine."""
    lines = []
    for network, bandwidth in bandwidths.items():
        for ranks in (1, 2, 4):
            for grass_rank in (0, 8):
                line = SHAPE | dict(length=32, tokens=256 * ranks, ranks=ranks, network=network, grass_rank=grass_rank,
                                    sequences=8, micro=8, precision="float",
                                    messages=model.messages_of(SHAPE, grass_rank))
                step = model.step_of_line(line)
                message = lambda size: model.message_seconds(size, ranks, machine.latency, bandwidth)
                line["local_seconds"] = model.local_seconds(step, machine, ranks)
                line["step_seconds"] = model.step_seconds(step, machine, ranks, message)
                lines.append(line)
    return lines


class Model(unittest.TestCase):
    def test_finds_the_constants_again(self):
        machine = model.Machine(rate=5e9, memory=2e9, latency=3e-4, overlap=0.7)
        bandwidths = {"slow": 1e7, "quick": 2e8}
        found, found_bandwidths = model.fit(made_lines(machine, bandwidths), float("inf"))
        self.assertAlmostEqual(found.rate / machine.rate, 1, delta=0.01)
        self.assertAlmostEqual(found.latency / machine.latency, 1, delta=0.1)
        self.assertAlmostEqual(found.overlap, machine.overlap, delta=0.05)
        for network, bandwidth in bandwidths.items():
            self.assertAlmostEqual(found_bandwidths[network] / bandwidth, 1, delta=0.05)

    def test_ring_sends_a_message_almost_twice(self):
        self.assertEqual(model.message_seconds(1000, 1, 0.5, 100), 0)
        self.assertEqual(model.message_seconds(1000, 2, 0, 100), 10)
        self.assertEqual(model.message_seconds(1000, 4, 0.5, 100), 3 + 15)

    def test_hides_messages_behind_the_layers_below(self):
        step = model.Step(1, [10, 10, 10], [4, 4, 0], update_bytes=6)
        one_each = lambda size: size
        passes = 30 + 6
        self.assertEqual(model.step_seconds(step, model.Machine(1, 1), 2, one_each), passes)
        self.assertEqual(model.step_seconds(step, model.Machine(1, 1, overlap=0), 2, one_each), passes + 8)
        slow = lambda size: 10 * size
        self.assertEqual(model.step_seconds(step, model.Machine(1, 1), 2, slow), passes - 20 + 80)

    def test_an_update_moves_weight_moments_and_gradient(self):
        self.assertEqual(model.bytes_of_update(dict(precision="float")), 2 * 4 + 2 * 2 * 4 + 4)
        self.assertEqual(model.bytes_of_update(dict(precision="float8", state="int8")), 2 * 2 + 2 * 2 * 1 + 4)

    def test_all_passes_but_the_last_come_before_the_messages(self):
        whole = model.step_of(SHAPE, 32, 256, [0, 0, 0, 0, 0])
        parts = model.step_of(SHAPE, 32, 256, [0, 0, 0, 0, 0], last_pass=0.25)
        self.assertAlmostEqual(sum(parts.operations), sum(whole.operations), delta=1)
        self.assertEqual(parts.operations[1], whole.operations[1] / 4)

    def test_large_models_send_what_the_plan_says(self):
        case = model.CASES["7B, r=128"]
        embedding_and_head, norms = 2 * 32000 * 4096, (2 * 32 + 1) * 4096
        self.assertEqual(sum(model.messages_of(case)), 4 * (32 * (4 * 4096**2 + 3 * 4096 * 11008) +
                                                             embedding_and_head + norms))
        self.assertEqual(sum(model.messages_of(case, 128)), 4 * (32 * 128 * (4 * 4096 + 3 * 11008) +
                                                                  embedding_and_head + norms))


if __name__ == "__main__":
    unittest.main()
