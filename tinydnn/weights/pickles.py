"""A restricted pickle reader, which builds data and descriptions of tensors and can call nothing.

A pickle is a program for a stack machine, and Python's `pickle.load` lets that program call any importable function.
This module interprets the program with a stack machine of its own. It implements only the instructions that build
numbers, strings, tuples, lists and dictionaries. A global (an instruction that would import a name) is pushed as its
name, as text; nothing is imported. A call (REDUCE) is compared with three known names and replaced by a dictionary or a
`Tensor` record. Every other instruction and every other call raises `RefusedError`.

Source: the instructions as documented in Python's `pickletools`, whose `genops` decodes them without executing them.
"""

import pickletools
from dataclasses import dataclass
from typing import IO, Any

MAX_INSTRUCTIONS = 2_000_000  # the largest published network takes a few thousand

DICTIONARY = "collections.OrderedDict"
TENSOR = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_MARK = object()  # on the stack below the items of a tuple, list or dictionary


class RefusedError(ValueError):
    """The pickle contains something other than data."""


@dataclass(frozen=True)
class Global:
    """A name that the pickle would import, "module.name"; here only the text."""

    name: str


@dataclass(frozen=True)
class Storage:
    """Elements stored elsewhere in the file: their type ("FloatStorage"), their key, and how many there are."""

    kind: str
    key: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; offset and strides count elements. The last three fields are not validated yet."""

    storage: Storage
    offset: Any
    shape: Any
    strides: Any


def read_pickle(file: IO[bytes]) -> Any:
    """Read the next pickle of a file, up to its end. Raises `RefusedError` or another `ValueError` if it is invalid."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for count, (instruction, argument, _) in enumerate(pickletools.genops(file)):
        if count > MAX_INSTRUCTIONS:
            raise RefusedError(f"more than {MAX_INSTRUCTIONS} instructions")
        if instruction.name == "STOP":
            if len(stack) != 1:
                raise ValueError(f"a pickle that ends with {len(stack)} items on its stack")
            return stack[0]
        try:
            _execute(instruction.name, argument, stack, memo)
        except (IndexError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a damaged pickle ({instruction.name}: {str(error)[:60]})") from None
    raise ValueError("a pickle without an end")


def _execute(instruction: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    match instruction:
        case "PROTO" | "FRAME":
            pass
        case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_TUPLE":
            stack.append(_CONSTANTS[instruction])
        case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
            stack.append(argument)
        case "BINSTRING" | "SHORT_BINSTRING" | "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8":
            stack.append(argument)
        case "EMPTY_DICT":
            stack.append({})
        case "EMPTY_LIST":
            stack.append([])
        case "MARK":
            stack.append(_MARK)
        case "BINPUT" | "LONG_BINPUT":
            memo[argument] = stack[-1]
        case "MEMOIZE":
            memo[len(memo)] = stack[-1]
        case "BINGET" | "LONG_BINGET":
            stack.append(memo[argument])
        case "TUPLE":
            stack.append(tuple(_pop_to_mark(stack)))
        case "TUPLE1" | "TUPLE2" | "TUPLE3":
            length = int(instruction[-1])
            stack[-length:] = [tuple(stack[-length:])]
        case "SETITEM" | "SETITEMS":
            items = _pop_to_mark(stack) if instruction == "SETITEMS" else [stack.pop(-2), stack.pop()]
            _expect(stack[-1], dict).update(zip(items[::2], items[1::2], strict=True))
        case "APPEND" | "APPENDS":
            items = _pop_to_mark(stack) if instruction == "APPENDS" else [stack.pop()]
            _expect(stack[-1], list).extend(items)
        case "GLOBAL":
            stack.append(Global(argument.replace(" ", ".")))
        case "STACK_GLOBAL":
            name = _expect(stack.pop(), str)
            stack.append(Global(f"{_expect(stack.pop(), str)}.{name}"))
        case "REDUCE":
            arguments = _expect(stack.pop(), tuple)
            stack.append(_replace_call(_expect(stack.pop(), Global).name, arguments))
        case "BUILD":  # sets attributes of a dictionary, such as the versions of layers; they are discarded
            stack.pop()
            _expect(stack[-1], dict)
        case "BINPERSID":
            stack.append(_storage(stack.pop()))
        case _:
            raise RefusedError(f"the instruction {instruction}")


def _replace_call(name: str, arguments: tuple[Any, ...]) -> Any:
    """The data that stands for a call of one of the three known names."""
    if name == DICTIONARY and not arguments:
        return {}
    if name == TENSOR and len(arguments) >= 4:
        return Tensor(_expect(arguments[0], Storage), *arguments[1:4])
    if name == PARAMETER and arguments:
        return _expect(arguments[0], Tensor)
    raise RefusedError(f"a call of {name[:80]}, which was not executed")


def _storage(description: Any) -> Storage:
    """The storage that a persistent id describes: ("storage", type, key, device, count)."""
    word, kind, key, _, count = _expect(description, tuple)[:5]
    if word != "storage" or type(count) is not int or not isinstance(key, str):
        raise ValueError(f"{str(description)[:60]} instead of a storage")
    return Storage(_expect(kind, Global).name.removeprefix("torch."), key, count)


def _pop_to_mark(stack: list[Any]) -> list[Any]:
    """Remove the last mark and the items above it; return the items."""
    for position in reversed(range(len(stack))):
        if stack[position] is _MARK:
            items = stack[position + 1 :]
            del stack[position:]
            return items
    raise IndexError("no mark")


def _expect(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value
