"""Import Keras only where a network is built or loaded, because the import takes seconds.

TensorFlow's C++ side reports missing CUDA libraries and oneDNN on stderr before any log level applies. These
lines are held back while the import runs, and shown if it fails.
"""

import logging
import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors still reach Python as exceptions
# Otherwise the first process on a GPU takes all of its memory, and a second worker or a served model fails.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

sys.stderr.flush()
terminal = os.dup(2)
with tempfile.TemporaryFile() as held:
    os.dup2(held.fileno(), 2)
    try:
        import keras

        keras.ops.zeros(1)  # initialises the devices, which is when TensorFlow prints most
    except BaseException:
        held.seek(0)
        os.write(terminal, held.read())
        raise
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
# Batches are as wide as their reviews: TensorFlow warns of a few retraces at the start, which are expected.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
__all__ = ["keras"]
