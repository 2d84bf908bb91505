"""Pool what a recurrent layer says of each word into one vector per review; padding has no part in it."""

from typing import Any

from starcast.models.backend import keras

FAR_BELOW = -1e4  # below all outputs, also in 16 bits


@keras.saving.register_keras_serializable(package="starcast")
class Pooling(keras.layers.Layer):
    """Joins the highest and the mean value of each feature over the words of a review."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Pool words, (reviews, words, features), where the mask, (reviews, words), is true."""
        ops, there = keras.ops, mask[..., None]
        highest = ops.max(ops.where(there, inputs, FAR_BELOW), axis=1)
        words = ops.sum(ops.cast(there, inputs.dtype), axis=1)
        return ops.concatenate([highest, ops.sum(ops.where(there, inputs, 0), axis=1) / words], axis=-1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return no mask: there are no words any more."""

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return (reviews, 2 * features)."""
        return shape[0], 2 * shape[-1]
