"""Fine-tune a pretrained encoder on batches of similar length, with reports within each epoch.

AdamW (Loshchilov, Hutter, Decoupled weight decay regularization, ICLR 2019) with a learning rate that rises
over the first batches and then falls to zero (Devlin et al., BERT, NAACL 2019).
"""

import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss

from starcast.models.backend import keras
from starcast.models.batches import similar_length
from starcast.models.compiled import copy_weights
from starcast.models.corpus import Corpus
from starcast.models.family import Checkpoints, Fit, FitOptions, ModelSpec, Precision, Recorder, Schedule
from starcast.models.fit_progress import FitProgress
from starcast.models.fit_report import FitReport
from starcast.models.fitted_transformer import FittedTransformer
from starcast.models.networks import predict
from starcast.models.sampling import resample, review_weights
from starcast.models.space import Settings
from starcast.models.texts import Sequences
from starcast.models.transformer import build
from starcast.models.transformer_family import TransformerFamily
from starcast.models.transformer_weights import cut, lowest, pretrained_for

REPORTS = TransformerFamily.reports  # per epoch
# Validation reviews of a report within an epoch: all of them would take half as long as training.
SAMPLE = 500
PREDICTION_BATCH = 32  # reviews, by the network that is trained
WEIGHT_DECAY = 0.01
CHECKPOINT_EVERY = 60.0  # seconds between two at least: one is as large as the weights three times
BLOCK = ("attention", "inner", "outer")  # the layers of a block, as named, without their norms


def changed(network: keras.Model) -> list[keras.Variable]:
    """Return the variables that training changes; frozen weights and metrics are none of them."""
    others = {id(variable) for variable in (*network.weights, *network.metrics_variables)}
    seeds = [variable for variable in network.variables if id(variable) not in others]
    return [*network.trainable_weights, *seeds, *network.optimizer.variables]


@dataclass(frozen=True)
class Rows:
    """What is learned from: reviews' word pieces, and for each row its review, rating (from 0) and weight."""

    pieces: Sequences
    reviews: np.ndarray
    ratings: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, corpus: Corpus, pieces: Sequences, options: FitOptions) -> "Rows":
        """Take the training split after sampling.

        Raises:
            UserError: the sampling cannot be done with these reviews.
        """
        resampled = resample(corpus, options)
        reviews = resampled.first if resampled else np.arange(len(pieces))
        ratings = resampled.ratings if resampled else np.asarray(corpus.train.ratings)
        return cls(pieces, reviews, ratings, review_weights(ratings, options.sampling))

    def batches(self, epoch: int, options: FitOptions) -> list[np.ndarray]:
        """Return the row numbers of each batch of an epoch, counted from 0; each epoch has its own."""
        drawn = np.random.default_rng((options.seed, epoch))
        return similar_length(self.pieces.lengths[self.reviews], options.batch_size, drawn)


def rate(settings: Settings, schedule: Schedule, batch: int, batches: int) -> float:
    """Return the learning rate of a batch, counted from 0 over the whole fit."""
    highest, rising = float(settings["learning_rate"]), int(float(settings["warm_up"]) * batches)
    if batch < rising:
        return highest * (batch + 1) / (rising + 1)
    return highest if schedule == "constant" else highest * (batches - batch) / (batches - rising)


@dataclass
class Tuning:
    """The state of a fit, and its two alternating steps: train up to a report, then report."""

    network: keras.Model
    answering: keras.Model  # in 32 bits, as the model that is saved: the network itself, or a copy
    rows: Rows
    validation: Sequences
    spec: ModelSpec
    corpus: Corpus
    recorder: Recorder
    progress: FitProgress

    def __post_init__(self) -> None:
        ratings = np.asarray(self.corpus.validation.ratings)
        # Some of each rating: an AUC needs all.
        order = np.random.default_rng(self.spec.options.seed).permutation(len(ratings))
        firsts = [order[ratings[order] == rating][:5] for rating in np.unique(ratings)]
        self._sample = np.unique(np.concatenate([order[:SAMPLE], *firsts]))

    def train(self, report: int) -> dict[str, float]:
        """Train the batches up to a report, counted from 0, and return their mean loss and accuracy."""
        options, network, rows = self.spec.options, self.network, self.rows
        epoch, part = divmod(report, REPORTS)
        batches = rows.batches(epoch, options)
        learned, weights = list[dict[str, float]](), list[float]()
        for number in np.array_split(np.arange(len(batches)), REPORTS)[part]:
            self.corpus.show(f"epoch {epoch + 1}", number / len(batches))
            done, total = epoch * len(batches) + number, options.epochs * len(batches)
            network.optimizer.learning_rate = rate(self.spec.settings, options.schedule, done, total)
            batch = batches[number]
            example = rows.pieces.padded(rows.reviews[batch]), rows.ratings[batch], rows.weights[batch]
            learned.append(network.train_on_batch(*example, return_dict=True))
            weights.append(float(rows.weights[batch].sum()))
        names = learned[0] if learned else ()
        return {
            f"train_{name}": float(np.average([each[name] for each in learned], weights=weights))
            for name in names
        }

    def report(self, report: int, learned: dict[str, float]) -> bool:
        """Score the validation split at the end of an epoch, a sample of it before, and report that.

        Returns:
            Whether the fit goes on; not if the probabilities are not finite, and an earlier epoch is kept.

        Raises:
            FloatingPointError: they are not, and there is no earlier epoch.
        """
        epoch, progress = (report + 1) // REPORTS, self.progress
        ends = not (report + 1) % REPORTS
        some = np.arange(len(self.validation)) if ends else self._sample
        if self.answering is not self.network:
            copy_weights(self.network, self.answering)
        probabilities = predict(self.answering, self.validation, PREDICTION_BATCH, some)
        if not np.isfinite(probabilities).all():
            why = "the probabilities are not finite: the learning rate is too high for these settings"
            if not progress.best_epoch:
                raise FloatingPointError(why)
            print(f"  {why}; the best epoch, {progress.best_epoch}, is kept", flush=True)
            return False
        ratings = np.asarray(self.corpus.validation.ratings)[some]
        loss = float(log_loss(ratings, probabilities, labels=range(len(self.corpus.scale))))
        if ends:
            progress.keep_if_best(epoch, loss, self.network.trainable_weights, probabilities)
        progress.reports = report + 1
        metrics, places = {**learned, "val_loss": loss}, None if ends else some
        self.recorder.report(FitReport(report + 1, metrics, probabilities, places))
        return True


def fit_transformer(
    corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None
) -> Fit:
    """Fine-tune; the network gets the weights of its best epoch by validation loss.

    Each epoch reports `REPORTS` times: at its end on all validation reviews, before on a sample of them.
    With `checkpoints`, an interrupted fit goes on from a report and gives the same result.

    Raises:
        UserError: the weights are missing, or the sampling cannot be done with these reviews.
    """
    settings, options = spec.settings, spec.options
    pretrained, train, validation = pretrained_for(corpus, str(settings["weights"]))
    sizes = lowest(pretrained.architecture, settings)
    # From here Keras draws its seeds, as for other networks; KerasHub, reading the weights, draws some, too.
    random.seed(options.seed)
    network = build(sizes, len(corpus.scale), options.precision)
    pretrained.into(network)
    compile_for(network, settings, options.precision)
    answering = network if options.precision == "float32" else build(sizes, len(corpus.scale))
    kept = checkpoints.kept() if checkpoints else None
    progress = FitProgress.load(kept, changed(network)) if kept else FitProgress()
    rows = Rows.of(corpus, cut(train, sizes.length), options)
    tuning = Tuning(network, answering, rows, cut(validation, sizes.length), spec, corpus, recorder, progress)
    saved = time.monotonic()
    for report in range(progress.reports, options.epochs * REPORTS):
        if not tuning.report(report, tuning.train(report)):
            break
        if checkpoints and time.monotonic() - saved >= CHECKPOINT_EVERY:
            with tempfile.TemporaryDirectory() as folder:
                progress.save(Path(folder), changed(network))
                checkpoints.keep(Path(folder))
            saved = time.monotonic()
    for variable, weight in zip(network.trainable_weights, progress.best_weights, strict=True):
        variable.assign(weight)
    weights = {layer.name: layer.get_weights() for layer in network.layers if layer.weights}
    model = FittedTransformer(sizes, weights, pretrained.pieces)
    epochs = -(-progress.reports // REPORTS)  # a last one that was not ended counts
    return Fit(model, progress.best_probabilities, epochs, progress.best_epoch, rows.ratings)


def compile_for(network: keras.Model, settings: Settings, precision: Precision = "float32") -> None:
    """Freeze what the settings say, and compile; biases and norms keep their weights without decay."""
    frozen = [f"{kind}_{i}" for i in range(int(settings["frozen"])) for kind in BLOCK]
    frozen += ["embedded"] if settings["embeddings"] == "frozen" else []
    for layer in network.layers:
        layer.trainable = layer.name.removesuffix("_norm") not in frozen
    optimizer = keras.optimizers.AdamW(float(settings["learning_rate"]), weight_decay=WEIGHT_DECAY)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if precision == "mixed_float16":  # gradients below 6e-8 would be 0; `bfloat16` has the range of 32 bits
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy()
    # Compiled ahead by XLA, each width of a batch would be compiled anew.
    network.compile(optimizer, loss, weighted_metrics=["accuracy"], jit_compile=False)
