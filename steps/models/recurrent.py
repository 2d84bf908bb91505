"""Keras' LSTM and GRU with the loop over time in NumPy: the same weights and answers, several times faster on a CPU.

Keras' own layers run a TensorFlow loop whose every step projects the input and pays for some 40 small operations, and
whose gradient, made by automatic differentiation, pays for twice as many. Here one product projects all steps before
the loop, the loops forward and backward hold only what depends on the step before, and the gradients of the weights
are single products after them. NumPy pays 1 us for an operation where TensorFlow's executor pays 5, its products of a
batch of states are faster too, and a graph without loops takes less time to trace.

The layers serve what the families use: TensorFlow, float32, default activations and bias, no initial state, no
dropout inside the layer. Any mask is followed as Keras does: a masked step carries the state on.

Arrays are time-major, shape (steps, reviews, features); states are (steps + 1, reviews, units), the first being zero.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from threadpoolctl import ThreadpoolController

from steps.models.backend import keras

# tanh(x / 2) / 2 + 1 / 2 is the sigmoid of x: one call of tanh serves all gates, and never overflows.
_HALF = np.float32(0.5)
_BLAS = ThreadpoolController().select(user_api="blas")


def _scales(sigmoid_gates: tuple[bool, ...], units: int) -> tuple[np.ndarray, np.ndarray]:
    """What makes tanh of all gates the sigmoid of some: factor (inside and outside) and summand, shape (gates * units,)."""
    sigmoid = np.repeat(sigmoid_gates, units)
    return np.where(sigmoid, _HALF, np.float32(1)), np.where(sigmoid, _HALF, np.float32(0))


def lstm_forward(projected: np.ndarray, recurrent: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gates i, f, g, o of shape (steps, reviews, 4 * units), cell states and states; mask has shape (steps, reviews)."""
    steps, reviews, width = projected.shape
    units = width // 4
    factor, summand = _scales((True, True, False, True), units)
    gates = np.empty_like(projected)
    cells, states = np.zeros((2, steps + 1, reviews, units), dtype=np.float32)
    padded = ~mask
    carry = np.repeat(np.float32([0, 1, 0, 0]), units)
    for t in range(steps):
        gate, cell, state = gates[t], cells[t + 1], states[t + 1]
        np.matmul(states[t], recurrent, out=gate)
        gate += projected[t]
        gate *= factor
        np.tanh(gate, out=gate)
        gate *= factor
        gate += summand
        if padded[t].any():
            gate[padded[t]] = carry
        np.multiply(gate[:, :units], gate[:, 2 * units : 3 * units], out=cell)
        np.multiply(gate[:, units : 2 * units], cells[t], out=state)
        cell += state
        np.tanh(cell, out=state)
        state *= gate[:, 3 * units :]
        if padded[t].any():
            state[padded[t]] = states[t][padded[t]]
    return gates, cells, states


def lstm_backward(
    upstream: np.ndarray, recurrent: np.ndarray, mask: np.ndarray, gates: np.ndarray, cells: np.ndarray
) -> np.ndarray:
    """Gradient of `projected` from that of the states, shape (steps, reviews, units)."""
    steps, reviews, units = upstream.shape
    i, f, g, o = np.moveaxis(gates.reshape(steps, reviews, 4, units), 2, 0)
    tanh = np.tanh(cells[1:])
    slopes = np.empty((steps, reviews, 4, units), dtype=np.float32)  # of i, f, g in the cell, of o in the state
    slopes[:, :, 0] = g * i * (1 - i)
    slopes[:, :, 1] = cells[:-1] * f * (1 - f)
    slopes[:, :, 2] = i * (1 - g * g)
    slopes[:, :, 3] = tanh * o * (1 - o)
    to_cell = o * (1 - tanh * tanh)
    padded, transposed = ~mask, np.ascontiguousarray(recurrent.T)
    down = slopes
    d_state, d_cell = np.zeros((2, reviews, units), dtype=np.float32)
    for t in reversed(range(steps)):
        d_state += upstream[t]
        d_cell += d_state * to_cell[t]
        down[t, :, :3] *= d_cell[:, None]
        down[t, :, 3] *= d_state
        d_cell *= f[t]
        carried = d_state[padded[t]] if padded[t].any() else None
        d_state = down[t].reshape(reviews, 4 * units) @ transposed
        if carried is not None:
            d_state[padded[t]] += carried
    return down.reshape(steps, reviews, 4 * units)


def gru_forward(
    projected: np.ndarray, recurrent: np.ndarray, bias: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gates z, r, candidate of shape (steps, reviews, 3 * units), what the state adds to the candidate, states."""
    steps, reviews, width = projected.shape
    units = width // 3
    gates = np.empty_like(projected)
    inner = np.empty((steps, reviews, units), dtype=np.float32)
    states = np.zeros((steps + 1, reviews, units), dtype=np.float32)
    padded = ~mask
    carry = np.repeat(np.float32([1, 0, 0]), units)
    for t in range(steps):
        gate, state = gates[t], states[t + 1]
        sigmoid, candidate = gate[:, : 2 * units], gate[:, 2 * units :]
        np.matmul(states[t], recurrent, out=gate)
        gate += bias
        inner[t] = candidate
        sigmoid += projected[t, :, : 2 * units]
        sigmoid *= _HALF
        np.tanh(sigmoid, out=sigmoid)
        sigmoid *= _HALF
        sigmoid += _HALF
        candidate *= gate[:, units : 2 * units]
        candidate += projected[t, :, 2 * units :]
        np.tanh(candidate, out=candidate)
        if padded[t].any():
            gate[padded[t]] = carry
        np.subtract(states[t], candidate, out=state)
        state *= gate[:, :units]
        state += candidate
    return gates, inner, states


def gru_backward(
    upstream: np.ndarray, recurrent: np.ndarray, gates: np.ndarray, inner: np.ndarray, states: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of `projected` and of the product of state and recurrent kernel, both (steps, reviews, 3 * units)."""
    steps, reviews, units = upstream.shape
    z, r, candidate = np.moveaxis(gates.reshape(steps, reviews, 3, units), 2, 0)
    slopes = np.empty((steps, reviews, 4, units), dtype=np.float32)
    slopes[:, :, 0] = (1 - z) * (1 - candidate * candidate)
    slopes[:, :, 1] = (states[:-1] - candidate) * z * (1 - z)
    slopes[:, :, 2] = slopes[:, :, 0] * inner * r * (1 - r)
    slopes[:, :, 3] = slopes[:, :, 0] * r
    transposed = np.ascontiguousarray(recurrent.T)
    d_state = np.zeros((reviews, units), dtype=np.float32)
    for t in reversed(range(steps)):
        d_state += upstream[t]
        slopes[t] *= d_state[:, None]
        d_state *= z[t]
        d_state += slopes[t, :, 1:].reshape(reviews, 3 * units) @ transposed
    return slopes[:, :, [1, 2, 0]].reshape(projected_shape := (steps, reviews, 3 * units)), slopes[:, :, 1:].reshape(
        projected_shape
    )


def _call(function: Callable, arrays: list[tf.Tensor], outputs: int) -> list[tf.Tensor]:
    def on_one_thread(*values: np.ndarray) -> object:
        with _BLAS.limit(limits=1):
            return function(*values)

    return tf.numpy_function(on_one_thread, arrays, [tf.float32] * outputs, stateful=False)


def _weight_gradient(states: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """Gradient of the recurrent kernel: one product over all steps."""
    units, width = states.shape[-1], gradient.shape[-1]
    return tf.matmul(tf.reshape(states[:-1], (-1, units)), tf.reshape(gradient, (-1, width)), transpose_a=True)


@tf.custom_gradient
def _lstm(projected: tf.Tensor, recurrent: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    gates, cells, states = _call(lstm_forward, [projected, recurrent, mask], 3)
    units = recurrent.shape[0]
    states.set_shape((None, None, units))

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, None]:
        [down] = _call(lstm_backward, [upstream, recurrent, mask, gates, cells], 1)
        down.set_shape(projected.shape)
        return down, _weight_gradient(states, down), None

    return states[1:], gradient


@tf.custom_gradient
def _gru(projected: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    gates, inner, states = _call(gru_forward, [projected, recurrent, bias, mask], 3)
    units = recurrent.shape[0]
    states.set_shape((None, None, units))

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, None]:
        down, through_state = _call(gru_backward, [upstream, recurrent, gates, inner, states], 2)
        down.set_shape(projected.shape)
        through_state.set_shape(projected.shape)
        return down, _weight_gradient(states, through_state), tf.reduce_sum(through_state, axis=(0, 1)), None

    return states[1:], gradient


class _TimeMajor:
    """Projects all steps at once and hands the recurrence a mask."""

    def call(self, sequences, initial_state=None, mask=None, training=False):
        shape = tf.shape(sequences)
        kernel = tf.convert_to_tensor(self.cell.kernel)
        flat = tf.reshape(tf.transpose(sequences, (1, 0, 2)), (-1, kernel.shape[0]))
        bias = tf.reshape(tf.convert_to_tensor(self.cell.bias), (-1, kernel.shape[1]))
        projected = tf.reshape(tf.nn.bias_add(tf.matmul(flat, kernel), bias[0]), (shape[1], shape[0], kernel.shape[1]))
        mask = tf.ones((shape[1], shape[0]), tf.bool) if mask is None else tf.transpose(mask)
        states = self.recur(projected, bias, mask)
        return tf.transpose(states, (1, 0, 2)) if self.return_sequences else states[-1]


class LSTM(_TimeMajor, keras.layers.LSTM):
    def recur(self, projected, bias, mask):
        return _lstm(projected, tf.convert_to_tensor(self.cell.recurrent_kernel), mask)


class GRU(_TimeMajor, keras.layers.GRU):
    def recur(self, projected, bias, mask):
        return _gru(projected, tf.convert_to_tensor(self.cell.recurrent_kernel), bias[1], mask)
