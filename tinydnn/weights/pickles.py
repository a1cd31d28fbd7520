"""A reader of pickles that knows data and tensors, and nothing else.

A pickle is a program for a small machine with a stack; Python's own reader lets it call any function. This one is
another machine: it has the instructions that build numbers, texts, tuples, lists and dictionaries, and two names, which
are no functions but words that stand for "a dictionary" and "a tensor". There is nothing in it that could be called.
What it does not know it refuses.

Source: the instructions are those that Python's module pickletools documents.
"""

import pickletools
from dataclasses import dataclass
from typing import IO, Any

MAX_STEPS = 2_000_000  # instructions; the largest published network takes some thousands

DICTIONARY = "collections.OrderedDict"
TENSOR = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING",
    "SHORT_BINSTRING",
}  # fmt: skip
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class RefusedError(ValueError):
    """The pickle asks for something other than data."""


@dataclass(frozen=True)
class Name:
    """A name that the pickle mentions."""

    text: str


@dataclass(frozen=True)
class Storage:
    """Numbers that lie elsewhere in the file: their kind ("FloatStorage"), under which key, and how many."""

    kind: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; offset and strides count elements. Not yet checked."""

    storage: Storage
    offset: Any
    shape: Any
    strides: Any


class _Mark:
    """Where a tuple, a list or a dictionary on the stack begins."""


def read_pickle(file: IO[bytes]) -> Any:
    """The data of the next pickle in a file, which is then read up to its end. Raises `ValueError` for what is none."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for step, (instruction, argument, _) in enumerate(pickletools.genops(file)):
        if step > MAX_STEPS:
            raise RefusedError(f"more than {MAX_STEPS} instructions")
        if instruction.name == "STOP":
            return _only(stack)
        try:
            _do(instruction.name, argument, stack, memo)
        except (IndexError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a damaged pickle ({instruction.name}: {str(error)[:60]})") from None
    raise ValueError("a pickle without an end")


def _do(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in ("PROTO", "FRAME"):
        return
    if name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _LITERALS:
        stack.append(argument)
    elif name in ("EMPTY_DICT", "EMPTY_LIST", "MARK"):
        stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "MARK": _Mark}[name]())
    elif name in ("BINPUT", "LONG_BINPUT"):
        memo[argument] = stack[-1]
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name in _TUPLES:
        count = _TUPLES[name]
        whole = tuple(stack[-count:])
        del stack[-count:]
        stack.append(whole)
    elif name == "TUPLE":
        stack.append(tuple(_to_mark(stack)))
    elif name in ("SETITEM", "SETITEMS"):
        items = _to_mark(stack) if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
        _expect(stack[-1], dict).update(zip(items[::2], items[1::2], strict=True))
    elif name in ("APPEND", "APPENDS"):
        items = _to_mark(stack) if name == "APPENDS" else [stack.pop()]
        _expect(stack[-1], list).extend(items)
    elif name == "GLOBAL":
        stack.append(Name(argument.replace(" ", ".")))
    elif name == "STACK_GLOBAL":
        last = stack.pop()
        stack.append(Name(f"{_expect(stack.pop(), str)}.{_expect(last, str)}"))
    elif name == "REDUCE":
        arguments = stack.pop()
        stack.append(_made(_expect(stack.pop(), Name).text, _expect(arguments, tuple)))
    elif name == "BUILD":  # what a dictionary of weights carries beside them: versions of layers
        stack.pop()
        _expect(stack[-1], dict)
    elif name == "BINPERSID":
        stack.append(_storage(stack.pop()))
    else:
        raise RefusedError(f"the instruction {name}")


def _made(name: str, arguments: tuple[Any, ...]) -> Any:
    if name == DICTIONARY and not arguments:
        return {}
    if name == TENSOR and len(arguments) >= 4:
        return Tensor(_expect(arguments[0], Storage), *arguments[1:4])
    if name == PARAMETER and arguments:
        return _expect(arguments[0], Tensor)
    raise RefusedError(f"a call of {name[:80]}, which was not made")


def _storage(described: Any) -> Storage:
    word, kind, key, _, count = _expect(described, tuple)[:5]
    if word != "storage" or type(count) is not int or not isinstance(key, str):
        raise ValueError(f"{str(described)[:60]} in place of a storage")
    return Storage(_expect(kind, Name).text.removeprefix("torch."), key, count)


def _to_mark(stack: list[Any]) -> list[Any]:
    """Take all that lies above the last mark, and the mark."""
    at = next(index for index in range(len(stack) - 1, -2, -1) if index < 0 or isinstance(stack[index], _Mark))
    if at < 0:
        raise IndexError("no mark")
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _only(stack: list[Any]) -> Any:
    if len(stack) != 1:
        raise ValueError(f"a pickle that leaves {len(stack)} things behind")
    return stack[0]


def _expect(found: Any, kind: type) -> Any:
    if type(found) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {type(found).__name__}")
    return found
