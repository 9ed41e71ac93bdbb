"""The texts of rules as Jinja2 templates that can neither hang, nor grow, nor reach into Python.

Problem: templates are written by people and rendered over hostile data, in the writer's loop. Choice:
Jinja2's immutable sandbox, and in it only what bounds itself. A template is refused at load when it uses
anything else than text, values, conditions, loops, filters and a few methods: no macros, no `set`, no `**`,
no `range`, no unknown name or filter. So nothing accumulates; loops have a budget of steps, `*` and `%`
take numbers only, filters that could multiply text are our own, and the output ends at a limit. Escaping
for a channel is the channel's (`text`), so autoescape is off; a caller whose templates write a channel's own markup
gives `render` an `escape`, for what comes out of the values only. Filters live in `templatefilters`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateAssertionError, TemplateError, TemplateSyntaxError, nodes, pass_context
from jinja2 import Template as JinjaTemplate
from jinja2.exceptions import SecurityError
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from watcher.lib.templatefilters import FILTERS, TESTS, plain_text

__all__ = ["MAX_OUTPUT", "Template", "TemplateProblem", "compile_template"]

MAX_SOURCE: Final = 16_384
MAX_OUTPUT: Final = 16_384
"""Characters; the largest text a channel takes is some 12,000 (Slack's section blocks together)."""
MAX_STEPS: Final = 10_000
MAX_LOOPS: Final = 3

_BUDGET: Final = "_watcher_budget"
_BOUNDED: Final = "_watcher_bounded"
_ESCAPE: Final = "_watcher_escape"
_METHODS: Final = frozenset(
    (
        *("items", "keys", "values", "get", "startswith", "endswith", "split", "rsplit", "strip", "lower", "upper"),
        *("title", "removeprefix", "removesuffix", "isoformat", "total_seconds"),
    )
)
_ALLOWED: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem),
    *(nodes.Filter, nodes.Test, nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And),
    *(nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv),
    *(nodes.Mod, nodes.Concat, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair, nodes.Slice, nodes.Keyword),
    nodes.Call,
)


class TemplateProblem(ValueError):
    """A template that cannot be used; `line` counts from 1 inside of the template (0: not known)."""

    def __init__(self, message: str, line: int = 0) -> None:
        """The message is a sentence for the template's author."""
        super().__init__(message)
        self.message = message
        self.line = line


class _Budget:
    """Steps of loops that one rendering has left."""

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise SecurityError(f"the loops take more than {MAX_STEPS:,} steps")


@pass_context
def _bounded(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    budget = context[_BUDGET]
    for value in values:
        budget.spend()
        yield value


@pass_context
def _written(context: Context, value: Any) -> str:
    """A value as text, escaped where the caller asked for it; the template's own text does not come here."""
    text = plain_text(value)
    escape = context.get(_ESCAPE)
    return text if escape is None else escape(text)


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox with numbers-only `*` and `%`, and keys of mappings before their methods."""

    intercepted_binops = frozenset("*%")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse text that is multiplied or formatted: both can grow without bound."""
        if not all(isinstance(side, int | float) for side in (left, right)):
            raise SecurityError(f"{operator} takes numbers")
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`labels.items` is the label of that name, if there is one."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined, autoescape=False, optimized=False, finalize=_written)
    environment.globals.clear()
    environment.filters = {**FILTERS, _BOUNDED: _bounded}
    environment.tests = dict(TESTS)
    return environment


_ENVIRONMENT: Final = _environment()


class Template:
    """A compiled template. `names` are the values it needs."""

    __slots__ = ("_compiled", "names", "source")

    def __init__(self, source: str, names: frozenset[str], compiled: JinjaTemplate) -> None:
        """Made by `compile_template`."""
        self.source = source
        self.names = names
        self._compiled = compiled

    def render(
        self, values: Mapping[str, Any], limit: int = MAX_OUTPUT, escape: Callable[[str], str] | None = None
    ) -> str:
        """The text for these values, each of them through `escape`; cut at `limit` characters with ` …`.

        Raises TemplateProblem, and nothing else, for whatever goes wrong in the template.
        """
        needed = {name: values[name] for name in self.names if name in values}
        try:
            context = self._compiled.new_context({**needed, _BUDGET: _Budget(), _ESCAPE: escape})
            return _capped(self._compiled.root_render_func(context), limit)
        # A template runs its author's text over a cluster's data: any type of error can come out of it.
        except Exception as error:
            line = _line_of(error.__traceback__, self._compiled)
            raise TemplateProblem(_in_words(error), line) from error

    def __repr__(self) -> str:
        return f"Template({self.source!r})"


def compile_template(source: str, known_names: Collection[str]) -> Template:
    """Compile a template that may use the names given.

    Raises TemplateProblem for a syntax error, an unknown name or filter, and for what is not allowed; the
    message tells of all of the last three, the line is the first one's.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateProblem(f"the template has {len(source):,} characters, more than {MAX_SOURCE:,}", 1)
    try:
        tree = _ENVIRONMENT.parse(source)
        names = _used_names(tree)
        faults = sorted({*_faults(tree), *_unknown_names(tree, names, known_names)})
        if faults:
            raise TemplateProblem("; ".join(dict.fromkeys(message for _, message in faults)), faults[0][0])
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, _BOUNDED, [], [], None, None, lineno=loop.lineno)
        compiled = _ENVIRONMENT.from_string(tree)
    except TemplateSyntaxError as error:
        raise TemplateProblem(error.message or "this is not a template", error.lineno) from error
    except (TemplateError, RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
        if isinstance(error, TemplateProblem):
            raise
        raise TemplateProblem("the template is too deeply nested or holds a number that is too long", 1) from error
    return Template(source, names, compiled)


def _faults(tree: nodes.Node) -> Iterator[tuple[int, str]]:
    """Line and sentence for each part of the template that is not allowed."""
    stack: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while stack:
        node, loops = stack.pop()
        loops += isinstance(node, nodes.For)
        if (fault := _fault(node, loops)) is not None:
            yield node.lineno, fault
        stack += [(child, loops) for child in node.iter_child_nodes()]


def _fault(node: nodes.Node, loops: int) -> str | None:
    if not isinstance(node, _ALLOWED):
        return f"{_name_of(node)} is not allowed in a template"
    if loops > MAX_LOOPS:
        return f"more than {MAX_LOOPS} loops inside of each other"
    if isinstance(node, nodes.For) and node.recursive:
        return "recursive loops are not allowed in a template"
    if isinstance(node, nodes.Filter) and (node.name not in FILTERS or node.node is None):
        return f"there is no filter {node.name}{_hint(node.name, FILTERS)}"
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        return f"there is no test {node.name}{_hint(node.name, TESTS)}"
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        return f"{node.attr} is not to be read"
    if isinstance(node, nodes.Call):
        callee = node.node
        if not isinstance(callee, nodes.Getattr) or callee.attr not in _METHODS:
            called = getattr(callee, "attr", None) or getattr(callee, "name", "a value")
            return f"{called}() cannot be called here: use a filter"
    return None


def _used_names(tree: nodes.Template) -> frozenset[str]:
    try:
        return frozenset(find_undeclared_variables(tree))
    except TemplateAssertionError:
        # An unknown filter stops Jinja2's search, and is told as a fault of its own.
        names = list(tree.find_all(nodes.Name))
        return frozenset(node.name for node in names if node.ctx == "load") - {
            *(node.name for node in names if node.ctx == "store"),
            "loop",
        }


def _unknown_names(tree: nodes.Node, used: Collection[str], known: Collection[str]) -> Iterator[tuple[int, str]]:
    for node in tree.find_all(nodes.Name):
        if node.name in used and (node.name not in known or node.name.startswith("_")):
            yield node.lineno, f"there is no value {node.name}{_hint(node.name, known)}"


def _hint(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f", did you mean {close[0]}?" if close else ""


def _name_of(node: nodes.Node) -> str:
    return {"Assign": "set", "AssignBlock": "set", "FromImport": "import", "Pow": "**"}.get(
        type(node).__name__, type(node).__name__.lower()
    )


def _capped(pieces: Iterable[str], limit: int) -> str:
    taken: list[str] = []
    size = 0
    for piece in pieces:
        taken.append(piece[: limit + 1])
        size += len(taken[-1])
        if size > limit:
            return "".join(taken)[: max(0, limit - 2)] + " …"[:limit]
    return "".join(taken)


def _in_words(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]


def _line_of(trace: TracebackType | None, compiled: JinjaTemplate) -> int:
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = compiled.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line
