"""Distillation: a student of eight hidden units that never sees a label.

    python examples/distillation.py

prints the accuracy of the teacher, of a student that learns the teacher's softened probabilities
(Hinton et al., 2015), and of an equal student that learns them from noise instead of digits.
"""

import jax
import optax

import jaxnets as jn

(x, y), (x_test, y_test) = jn.data.digits()
x, x_test, key, t = x.reshape(-1, 64), x_test.reshape(-1, 64), jax.random.key(0), 3.0
big, small, adam = jn.mlp([256, 10]), jn.mlp([8, 10]), optax.adam(3e-3)
teacher = jn.fit(big, jn.losses.cross_entropy, adam, (x, y), key=key, epochs=30, batch_size=64)


def softened(predictions, targets):
    soft = jn.softmax(targets / t)
    return t**2 * jn.losses.kl_divergence(jn.log_softmax(predictions / t), soft)


def distilled(images):
    data = (images, jn.predict(big, teacher.params, images))
    return jn.fit(small, softened, adam, data, key=key, epochs=200, batch_size=64)


noise = jax.random.uniform(key, x.shape)
runs = {"teacher": teacher, "student": distilled(x), "student of noise": distilled(noise)}
scores = {name: jn.metrics.accuracy(run.predict(x_test), y_test) for name, run in runs.items()}
print(", ".join(f"{name} {score:.1%}" for name, score in scores.items()))
