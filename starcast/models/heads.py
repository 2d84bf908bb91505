"""The end of a network: from features to the ratings' probabilities, and the loss it is trained to lower.

- `softmax`: ratings without an order, cross-entropy.
- `corn`: whether a rating is above each label, given that it is not below (Shi, Cao and Raschka, Deep neural
  networks for rank-consistent ordinal regression based on conditional probabilities, 2023).
- `emd`: a softmax with the squared earth mover's distance as loss, which is higher the farther from the true
  rating the probability lies (Hou, Yu and Samaras, Squared earth mover's distance-based loss for training
  deep neural networks, 2016).
"""

from dataclasses import dataclass
from typing import Any

from starcast.models.backend import keras
from starcast.models.space import Settings, Value


@keras.saving.register_keras_serializable(package="starcast")
class ConditionalProbabilities(keras.layers.Layer):
    """Turns logits of `above this label, given not below it` into probabilities of the labels.

    Their cross-entropy is CORN's loss: its binary cross-entropies, each over the reviews that are not below a
    label, add up to the negative logarithm of the true label's probability.
    """

    def call(self, logits: Any) -> Any:
        """Return probabilities, shape (reviews, labels), of logits, shape (reviews, labels - 1)."""
        ops = keras.ops
        certain = ops.zeros_like(logits[:, :1])
        not_below = ops.concatenate([certain, ops.cumsum(ops.log_sigmoid(logits), axis=-1)], axis=-1)
        not_above = ops.concatenate([ops.log_sigmoid(-logits), certain], axis=-1)
        return ops.exp(not_below + not_above)

    def compute_output_shape(self, shape: tuple[int | None, int]) -> tuple[int | None, int]:
        """Return (reviews, labels)."""
        return shape[0], shape[1] + 1


def head_layers(head: Value, labels: int) -> list[keras.Layer]:
    """Return the layers from a review's features to the probabilities of so many labels."""
    if head == "corn":
        return [keras.layers.Dense(labels - 1), ConditionalProbabilities()]
    return [keras.layers.Dense(labels, activation="softmax")]


@dataclass(frozen=True)
class TrainingLoss:
    """What a network is trained to lower, from its settings.

    Attributes:
        label_smoothing: this share of each review's target lies on all labels alike (Szegedy et al.,
            Rethinking the Inception architecture for computer vision, 2016).
        weight_decay: that of AdamW (Loshchilov and Hutter, Decoupled weight decay regularization, 2019).
    """

    head: str = "softmax"
    label_smoothing: float = 0.0
    weight_decay: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> "TrainingLoss":
        """Return the loss of a network's settings; what they do not name is as in the studies."""
        smoothing, decay = (float(settings.get(name, 0.0)) for name in ("label_smoothing", "weight_decay"))
        return cls(str(settings.get("head", "softmax")), smoothing, decay)

    @property
    def plain(self) -> bool:
        """Return whether it is cross-entropy with the ratings as they are."""
        return self.head != "emd" and not self.label_smoothing


CROSS_ENTROPY = TrainingLoss()


class SmoothedLoss(keras.losses.Loss):
    """Cross-entropy or the squared earth mover's distance, to targets smoothed by a variable share."""

    def __init__(self, head: str) -> None:
        super().__init__(name="loss")
        self._cumulative = head == "emd"
        self.label_smoothing = keras.Variable(0.0, trainable=False, dtype="float32", autocast=False)

    def call(self, ratings: Any, probabilities: Any) -> Any:
        """Return the loss per review, shape (reviews,), of ratings from 0 and probabilities."""
        ops, labels = keras.ops, probabilities.shape[-1]
        wanted = ops.one_hot(ops.cast(ops.reshape(ratings, (-1,)), "int32"), labels)
        wanted = (1 - self.label_smoothing) * wanted + self.label_smoothing / labels
        if self._cumulative:
            return ops.sum(ops.square(ops.cumsum(probabilities - wanted, axis=-1)), axis=-1)
        return ops.categorical_crossentropy(wanted, probabilities)
