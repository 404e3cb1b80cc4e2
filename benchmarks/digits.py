"""The 1,797 real 8x8 handwritten digits bundled with scikit-learn, made hard enough that accuracies spread.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
"""

import numpy as np

from benchmarks.halves import halve, shuffled_classes
from benchmarks.images import Augmentation, ImageData, Images

SPLIT_SEED = 0
TRAIN_PER_CLASS = 96
# Clean digits are too easy to tell architectures apart; these corruptions are drawn anew at every step, and the
# held-out images are judged as four corrupted copies.
AUGMENTATION = Augmentation(flip=False, pad=1, occlude=3, noise=0.2)
COPIES = 4


def load_digits() -> ImageData:
    """960 training images (96 of each digit), 418 for the estimates and 418 for the truth; uint8 [n, 1, 8, 8]."""
    from sklearn import datasets

    bunch = datasets.load_digits()
    # The bundled values are whole numbers from 0 to 16.
    images = Images(np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None], bunch.target.astype(np.int64))
    classes = shuffled_classes(images.labels, SPLIT_SEED)
    held_out = halve([members[TRAIN_PER_CLASS:] for members in classes], SPLIT_SEED)
    train = images.take(np.sort(np.concatenate([members[:TRAIN_PER_CLASS] for members in classes])))
    # Whole-number sums, so that the last bit does not depend on the order of summation.
    values = train.pixels.astype(np.int64)
    mean = int(values.sum()) / values.size
    std = (int((values**2).sum()) / values.size - mean**2) ** 0.5
    return ImageData("digits", 10, train, images.take(held_out.first), images.take(held_out.second),
                     (mean / 255,), (std / 255,), AUGMENTATION, COPIES, held_out.name)
