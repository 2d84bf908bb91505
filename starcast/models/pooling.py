"""Pool what a recurrent layer says of each word into one vector per review; padding has no part in it."""

from typing import Any

from starcast.models.backend import keras

FAR_BELOW = -1e4  # below all outputs and scores, also in 16 bits


@keras.saving.register_keras_serializable(package="starcast")
class Pooling(keras.layers.Layer):
    """Pools the words of a review, shape (reviews, words, features), without its padding.

    `max_mean` joins the highest and the mean value of each feature, (reviews, 2 * features). `attention` is a
    mean with weights that are learned: of each word's tanh layer, by its product with a learned query (Yang
    et al., Hierarchical attention networks for document classification, 2016), (reviews, features).
    """

    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__(**options)
        self.kind, self.supports_masking = kind, True

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights of the attention."""
        if self.kind == "attention":
            features = shape[-1]
            self.layer = self.add_weight(shape=(features, features), name="layer")
            self.query = self.add_weight(shape=(features, 1), initializer="zeros", name="query")

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Pool the words where the mask, shape (reviews, words), is true."""
        ops, there = keras.ops, mask[..., None]
        if self.kind == "attention":
            scores = ops.matmul(ops.tanh(ops.matmul(inputs, self.layer)), self.query)
            scores = ops.where(there, scores, FAR_BELOW)
            # Keras' softmax warns of a review of one word.
            shares = ops.exp(scores - ops.max(scores, axis=1, keepdims=True))
            return ops.sum(shares * inputs, axis=1) / ops.sum(shares, axis=1)
        highest = ops.max(ops.where(there, inputs, FAR_BELOW), axis=1)
        words = ops.sum(ops.cast(there, inputs.dtype), axis=1)
        return ops.concatenate([highest, ops.sum(ops.where(there, inputs, 0), axis=1) / words], axis=-1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return no mask: there are no words any more."""

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (reviews, features of the pooled vector)."""
        return shape[0], shape[-1] if self.kind == "attention" else 2 * shape[-1]  # type: ignore[operator]

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal layer."""
        return {**super().get_config(), "kind": self.kind}
