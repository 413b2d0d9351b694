"""Make tiny real Keras models of every kind, and hostile files. Child process only."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from pipeline.classifier.open import open_classifier
from pipeline.classifier.spec import ClassifierSpec, spec_of_image
from pipeline.contract.base import Frozen
from pipeline.contract.image import ImageContract
from pipeline.errors import PipelineError
from pipeline.export import convert as exporter
from pipeline.imaging.keras_input import keras_input
from pipeline.progress import Report
from tests.classifier.questions import AllOpened, Conversion, Opened, Pairs, Rows, Specs

SIZE = 32


class Folder(Frozen):
    """Name the folder to write to."""

    folder: str


class Made(Frozen):
    """List what was written."""

    names: tuple[str, ...]


def trunk(x: Any, dtype: Any = None) -> Any:
    """Return features of a small convolutional network."""
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", dtype=dtype)(x)
    x = layers.BatchNormalization(dtype=dtype)(x)
    return layers.GlobalAveragePooling2D(dtype=dtype)(x)


def functional(
    units: int = 3,
    activation: str | None = "softmax",
    size: tuple[int | None, int | None] = (32, 32),
) -> Any:
    """Return a functional classifier."""
    pixels = keras.Input((*size, 3), name="pixels")
    answer = layers.Dense(units, activation=activation, kernel_initializer="he_normal", name="head")
    return keras.Model(pixels, answer(trunk(pixels)))


def front(*first: Any) -> Any:
    """Return a functional classifier that begins with these layers."""
    x = pixels = keras.Input((SIZE, SIZE, 3))
    for layer in first:
        x = layer(x)
    return keras.Model(pixels, layers.Dense(3, activation="softmax")(trunk(x)))


def augmented() -> Any:
    """Return a classifier with augmentation in a nested model, and scaling after it."""
    augmentation = keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.2),
            layers.RandomContrast(0.3),
            layers.GaussianNoise(0.5),
        ],
        name="augmentation",
    )
    return front(augmentation, layers.Rescaling(1 / 127.5, offset=-1))


def nested() -> Any:
    """Return a network inside a sequential model."""
    pixels = keras.Input((SIZE, SIZE, 3))
    network = keras.Model(pixels, trunk(pixels), name="network")
    return keras.Sequential([network, layers.Dense(3, activation="softmax")])


def application() -> Any:
    """Return a known network inside a sequential model."""
    network = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(SIZE, SIZE, 3), alpha=0.35
    )
    return keras.Sequential(
        [network, layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")]
    )


def flattened() -> Any:
    """Return a known network whose layers are the model's own, so that its name is lost."""
    network = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(SIZE, SIZE, 3), alpha=0.35
    )
    features = layers.GlobalAveragePooling2D()(network.output)
    return keras.Model(network.input, layers.Dense(3, activation="softmax")(features))


def efficientnet() -> Any:
    """Return EfficientNetB0, whose activation has a gradient of its own."""
    return keras.applications.EfficientNetB0(
        weights=None, classes=3, input_shape=(SIZE, SIZE, 3), include_top=True
    )


def sequential(with_input: bool) -> Any:
    """Return a sequential classifier that says its input, or learned it from the first call."""
    first = [keras.Input((SIZE, SIZE, 3))] if with_input else []
    model = keras.Sequential(
        [
            *first,
            layers.Conv2D(4, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )
    model(np.zeros((1, SIZE, SIZE, 3), np.float32))
    return model


def preprocessed(mode: str) -> Any:
    """Return a classifier that calls `preprocess_input` on its symbolic input."""
    pixels = keras.Input((SIZE, SIZE, 3))
    module = {"tf": keras.applications.mobilenet_v2, "caffe": keras.applications.resnet50}[mode]
    x = module.preprocess_input(pixels)
    return keras.Model(pixels, layers.Dense(3, activation="softmax")(trunk(x)))


def of_policy(policy: str) -> Any:
    """Return a classifier of another dtype policy, with the same weights for each."""
    keras.utils.set_random_seed(11)
    pixels = keras.Input((SIZE, SIZE, 3), dtype="float32")
    x = trunk(layers.Rescaling(1 / 127.5, offset=-1, dtype=policy)(pixels), dtype=policy)
    x = layers.Dense(3, dtype=policy)(x)
    model = keras.Model(pixels, layers.Activation("softmax", dtype="float32")(x))
    if policy != "float32":
        model.set_weights(of_policy("float32").get_weights())
    return model


def listed() -> Any:
    """Return a classifier that answers a list of one."""
    pixels = keras.Input((SIZE, SIZE, 3))
    return keras.Model([pixels], [layers.Dense(3, activation="softmax")(trunk(pixels))])


def two_outputs() -> Any:
    """Return a model with two outputs."""
    pixels = keras.Input((SIZE, SIZE, 3))
    x = trunk(pixels)
    return keras.Model(pixels, [layers.Dense(3, activation="softmax")(x) for _ in range(2)])


def two_inputs() -> Any:
    """Return a model with two inputs."""
    inputs = [keras.Input((SIZE, SIZE, 3)), keras.Input((4,))]
    x = layers.Concatenate()([trunk(inputs[0]), inputs[1]])
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def constant() -> Any:
    """Return a classifier that answers the same whatever it sees."""
    model = functional()
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([np.zeros_like(kernel), bias])
    return model


def overflowing() -> Any:
    """Return a classifier that answers NaN."""
    model = functional()
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([np.full_like(kernel, np.nan), bias])
    return model


def _settled(model: Any) -> Any:
    # Random statistics, so that batch normalization does something.
    random = np.random.default_rng(7)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            noise = [random.uniform(-0.2, 0.2, gamma.shape) for _ in range(3)]
            layer.set_weights([gamma + noise[0], beta + noise[1], mean + noise[2], variance])
    return model


MODELS: dict[str, Callable[[], Any]] = {
    "functional": functional,
    "seven": lambda: functional(7),
    "logits": lambda: functional(activation=None),
    "sigmoid": lambda: functional(1, "sigmoid"),
    "one_logit": lambda: functional(1, None),
    "sigmoids": lambda: functional(3, "sigmoid"),
    "tanh": lambda: functional(3, "tanh"),
    "any_size": lambda: functional(size=(None, None)),
    "wide": lambda: functional(size=(64, 96)),
    "rescaled": lambda: front(layers.Rescaling(1 / 255)),
    "rescaled_up": lambda: front(layers.Rescaling(255.0), layers.Rescaling(1 / 127.5, -1)),
    "resized": lambda: front(layers.Resizing(24, 24), layers.Rescaling(1 / 255)),
    "augmented": augmented,
    "nested": nested,
    "application": application,
    "flattened": flattened,
    "efficientnet": efficientnet,
    "sequential": lambda: sequential(True),
    "sequential_called": lambda: sequential(False),
    "preprocessed_tf": lambda: preprocessed("tf"),
    "preprocessed_caffe": lambda: preprocessed("caffe"),
    "float32": lambda: of_policy("float32"),
    "mixed_float16": lambda: of_policy("mixed_float16"),
    "mixed_bfloat16": lambda: of_policy("mixed_bfloat16"),
    "float64": lambda: of_policy("float64"),
    "listed": listed,
    "two_outputs": two_outputs,
    "two_inputs": two_inputs,
    "constant": constant,
    "overflowing": overflowing,
}
AS_H5 = (
    "functional",
    "logits",
    "sigmoid",
    "nested",
    "augmented",
    "sequential",
    "sequential_called",
    "mixed_float16",
    "float32",
)
AS_SAVED_MODEL = ("functional", "logits", "sigmoid", "nested", "augmented", "mixed_float16")


def make_child(request: Folder, report: Report) -> Made:
    """Save each model as `.keras`, some as `.h5` and as SavedModel folders too."""
    folder = Path(request.folder)
    for name, build in MODELS.items():
        keras.utils.set_random_seed(5)
        model = _settled(build())
        model.save(folder / f"{name}.keras")
        if name in AS_H5:
            model.save(folder / f"{name}.h5")
        if name in AS_SAVED_MODEL:
            model.export(folder / name, verbose=False)
        keras.backend.clear_session()
    _hostile(folder)
    return Made(names=tuple(sorted(path.name for path in folder.iterdir())))


def _hostile(folder: Path) -> None:
    """Write files that would run code or read files if they were trusted."""
    marker = str(folder / "code-ran")
    pixels = keras.Input((SIZE, SIZE, 3))
    code = layers.Lambda(lambda x: (open(marker, "w"), x)[1], name="trap")  # noqa: SIM115, PTH123
    model = keras.Model(pixels, layers.Dense(3, activation="softmax")(trunk(code(pixels))))
    model.save(folder / "lambda.keras")
    model.save(folder / "lambda.h5")
    Path(marker).unlink(missing_ok=True)
    functional().save_weights(folder / "only.weights.h5")

    def touch(values: Any) -> Any:
        Path(marker).touch()
        return values

    def python(x: Any) -> Any:
        return tf.ensure_shape(tf.py_function(touch, [x], tf.float32), x.shape)

    def numpy(x: Any) -> Any:
        return tf.ensure_shape(tf.numpy_function(touch, [x], tf.float32), x.shape)

    def reads(x: Any) -> Any:
        size = tf.strings.length(tf.io.read_file("/etc/hostname"))
        return x + tf.cast(size, tf.float32)

    def writes(x: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file(marker, "x")]):
            return tf.identity(x)

    def lists(x: Any) -> Any:
        return x + tf.cast(tf.size(tf.io.matching_files("/etc/*")), tf.float32)

    def prints(x: Any) -> Any:
        tf.print("seen")
        return tf.identity(x)

    def whole(function: Callable[[Any], Any]) -> Any:
        module = tf.Module()
        module.kernel = tf.Variable(tf.random.normal((3, 3)))
        module.serve = tf.function(
            lambda image: {
                "out": tf.nn.softmax(tf.reduce_mean(function(image), (1, 2)) @ module.kernel)
            },
            input_signature=[tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="image")],
        )
        return module

    functions = {
        "plain": tf.identity,
        "py_function": python,
        "numpy_function": numpy,
        "read_file": reads,
        "write_file": writes,
        "matching_files": lists,
        "print": prints,
    }
    for name, function in functions.items():
        module = whole(function)
        tf.saved_model.save(module, str(folder / name), signatures=module.serve)
    module = whole(tf.identity)
    module.extra = tf.function(
        lambda name: tf.io.read_file(name), input_signature=[tf.TensorSpec((), tf.string)]
    )
    tf.saved_model.save(module, str(folder / "read_beside"), signatures=module.serve)
    table = whole(tf.identity)
    table.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(["a"]), tf.constant([1])), 0
    )
    tf.saved_model.save(table, str(folder / "table"), signatures=table.serve)
    cut = folder / "without_variables"
    shutil.copytree(folder / "plain", cut)
    shutil.rmtree(cut / "variables")


def open_child(request: Specs, report: Report) -> AllOpened:
    """Open each model, ask it, and take its function for conversion."""
    return AllOpened(models={name: _opened(spec, request) for name, spec in request.specs.items()})


def _opened(spec: ClassifierSpec, request: Specs) -> Opened:
    pixels = resize_all(np.load(request.pixels), spec)
    try:
        classifier = open_classifier(spec)
    except PipelineError as error:
        return Opened(error=error.to_dict())
    values = keras_input(pixels, spec.normalization)
    rows = classifier.predict(values)
    concrete = classifier.concrete_function(spec.image.input_shape)
    alone = np.concatenate([np.asarray(concrete(tf.constant(v[None]))) for v in values])
    assert np.abs(alone - rows).max() < 1e-5
    return Opened(
        probabilities=tuple(tuple(map(float, row)) for row in rows),
        adaptations=classifier.adaptations,
        random_operators=sum("Random" in o.type for o in concrete.graph.get_operations()),
        converted_shape=tuple(concrete.structured_outputs.shape),
    )


def resize_all(pixels: Any, spec: ClassifierSpec) -> Any:
    """Repeat or cut uint8 (n, 32, 32, 3) to the size of a spec."""
    height, width = spec.image.height_px, spec.image.width_px
    return np.tile(pixels, (1, 4, 4, 1))[:, :height, :width]


def plain_keras_child(request: Pairs, report: Report) -> Rows:
    """Answer as Keras itself does, by `model.predict`."""
    model = keras.models.load_model(request.model, compile=False)
    values = (np.load(request.pixels).astype(np.float32) - request.mean) / request.std
    rows = model.predict(values, verbose=0)
    return Rows(rows=tuple(tuple(map(float, row)) for row in rows))


def convert_child(request: Conversion, report: Report) -> Rows:
    """Convert as the exporter does; return the model's answer for an image in two halves."""
    path = Path(request.model)
    image = ImageContract(height_px=SIZE, width_px=SIZE, mean=0.0, std=1.0)
    spec = spec_of_image(path, image, 3)
    exporter.convert_child(
        exporter.ConvertRequest(classifier=spec, out=request.out),
        report,
    )
    values = np.full((1, SIZE, SIZE, 3), 90.0, np.float32)
    values[:, :, SIZE // 2 :] = 200.0
    rows = open_classifier(spec).predict(values)
    return Rows(rows=tuple(tuple(map(float, row)) for row in rows))
