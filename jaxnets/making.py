"""The one decorator of all functions that make models: what depends on how a model was written."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec

import jax

from jaxnets.checks import check_key, check_numbers
from jaxnets.factories import factory_of
from jaxnets.model import Example, Model, Params, written_form
from jaxnets.written import Form, Written, unjitted

__all__ = ["Combination", "Made", "Part", "factory", "made_by", "traced"]

P = ParamSpec("P")


class Made(NamedTuple):
    """What is known of a model once its parameters are made.

    Attributes:
      params: Its parameters.
      output: Its output, as shapes and dtypes; None if it is not known.
      parts: The models that it is made of.
    """

    params: Params
    output: Any = None
    parts: tuple["Part", ...] = ()


class Part(NamedTuple):
    """One of the models that a model is made of.

    Attributes:
      name: Its name in it, the key of its parameters.
      kind: The function that made it.
      made: What is known of it.
    """

    name: str
    kind: str
    made: Made


class Combination(NamedTuple):
    """A Model whose ``init`` tells besides the parameters all that it found out: a `Made`."""

    init: Callable[[Any, Any], Made]
    apply: Callable[..., Any]


def _blame(*, x: Any, params: Any = None, key: Any = None) -> None:
    """Raise unless a model can be given these."""
    check_numbers("x", x, shapes=params is None)
    if params is not None:
        check_numbers("params", (params, 0), shapes=False)  # there may be none, but of x
    if key is not None:
        check_key(key)


class _Init(Written):
    """The ``init`` of a Model that the library made."""

    __name__ = part = "init"
    __signature__ = inspect.signature(lambda key, x: None)
    advice = "A key comes before an example of the input: model.init(key, x)."
    blame = staticmethod(_blame)  # type: ignore[assignment]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the parameters alone."""
        made = super().__call__(*args, **kwargs)
        return made.params if isinstance(made, Made) else made


class _Apply(Written):
    """The ``apply`` of a Model that the library made."""

    __name__ = part = "apply"
    __signature__ = inspect.signature(lambda params, x, *, key=None: None)
    advice = "Parameters come before the input: model.apply(params, x)."
    blame = staticmethod(_blame)  # type: ignore[assignment]


def _dressed(form: Form, made: Model | Combination) -> Model:
    """The Model with functions that know its form, unless they know one already."""
    if isinstance(made, Model) and written_form(made) is not None:
        return made
    return Model(_Init(form, made.init), _Apply(form, made.apply))


def factory(
    *, too_many: str = ""
) -> Callable[[Callable[P, Model | Combination]], Callable[P, Model]]:
    """A decorator for a function that makes a Model, or the `Combination` that becomes one.

    From the one thing that it keeps, the call as it was written, come the name in errors, the
    text of ``repr``, equality and hash (so that compiled programs are found again) and pickling.

    Args:
      too_many: What to do if there are too many positional arguments.
    """
    return factory_of(_dressed, too_many=too_many)


def made_by(model: Model, key: jax.Array | None, x: Example) -> Made:
    """All that the ``init`` of a model finds out: of a combination more than the parameters."""
    if written_form(model) is None:
        return Made(model.init(key, x))
    made = Written.__call__(unjitted(model.init), key, x)
    return made if isinstance(made, Made) else Made(made)


def traced(model: Model, made: Made, x: Example) -> Made:
    """The same with the output, for which the model is traced unless it is known."""
    if made.output is not None:
        return made
    return made._replace(output=jax.eval_shape(model.apply, made.params, x))
