"""Find which services a file calls: `disputes.resolve(...)` and `resolve(...)` alike, by its imports."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("accounts", "settlements", "payments", "campaigns", "integrations", "portal")


def service_calls(files: Iterable[Path]) -> dict[str, set[str]]:
    """Map each service that is called, as `floor.services.module.name`, to the files that call it."""
    found: dict[str, set[str]] = {}
    for path in files:
        for name in _calls(ast.parse(path.read_text())):
            found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return found


def through_ports(called: Iterable[str]) -> dict[str, str]:
    """Follow the ports among what is called to the services that whatever fills them calls, each with its port.

    `accounts.services.talk.reply` is filled with `hosted_texts.reply` in an AppConfig; that calls `inbox.reply`.
    """
    filled = dict(pair for floor in FLOORS for pair in _filled(ROOT / floor / "apps.py"))
    return {one: port for port in called if port in filled for one in _inside(filled[port])}


def _filled(path: Path) -> Iterator[tuple[str, str]]:
    """Give each port that an AppConfig fills, with the service that fills it."""
    if not path.exists():
        return
    tree = ast.parse(path.read_text())
    modules = _imported(tree)[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            pairs = zip(target.elts, value.elts, strict=True) if isinstance(target, ast.Tuple) else [(target, value)]
            for slot, filler in pairs:
                if named := (_dotted(slot, modules), _dotted(filler, modules)):
                    yield named


def _dotted(node: ast.expr, modules: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{modules.get(node.value.id, node.value.id)}.{node.attr}"
    return ""


def _inside(name: str) -> set[str]:
    """Give the services that one function calls, with those of the functions beside it that it calls."""
    module, _dot, function = name.rpartition(".")
    path = ROOT / (module.replace(".", "/") + ".py")
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text())
    bodies = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    wanted, kept = [function], {}
    while wanted:
        one = wanted.pop()
        if one in bodies and one not in kept:
            kept[one] = bodies[one]
            wanted += [node.id for node in ast.walk(bodies[one]) if isinstance(node, ast.Name)]
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return set(_calls(ast.Module(body=[*imports, *kept.values()], type_ignores=[])))


def _calls(tree: ast.Module) -> Iterator[str]:
    modules, names = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield f"{modules[node.value.id]}.{node.attr}"
        if isinstance(node, ast.Name) and node.id in names:
            yield names[node.id]


def _imported(tree: ast.Module) -> tuple[dict[str, str], dict[str, str]]:
    """Give the services' modules and the single services that a file imports, by the names it calls them."""
    modules, names = {}, {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.module or ".services" not in node.module + ".":
            continue
        if not node.module.startswith(FLOORS):
            continue
        for alias in node.names:
            into = modules if node.module.endswith(".services") else names
            into[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return modules, names


def writes(name: str) -> bool:
    """Tell whether a service writes: its body, or that of what it calls beside it, opens a transaction or saves."""
    module, _dot, function = name.rpartition(".")
    path = ROOT / (module.replace(".", "/") + ".py")
    if not path.exists():
        return False
    tree = ast.parse(path.read_text())
    bodies = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return _writes(function, bodies, set())


SAVING = {"save", "create", "bulk_create", "update", "get_or_create", "update_or_create", "delete", "write_rows"}


def _writes(function: str, bodies: dict[str, ast.FunctionDef], seen: set[str]) -> bool:
    node = bodies.get(function)
    if node is None or function in seen:
        return False
    seen.add(function)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and inner.attr == "atomic":
            return True
        if isinstance(inner, ast.Call):
            called = inner.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in SAVING or (isinstance(called, ast.Name) and _writes(name, bodies, seen)):
                return True
    return False


def pages() -> list[Path]:
    """List the files of consumer and staff pages."""
    found = [ROOT / "portal" / name for name in ("admin.py", "views.py", "account_offers.py", "staff.py")]
    found += [ROOT / "accounts" / name for name in ("details.py", "preferences.py", "session_link.py")]
    for floor in FLOORS:
        found += (ROOT / floor).glob("views.py")
        found += (ROOT / floor).glob("admin*.py")
        found += (ROOT / floor / "views").glob("*.py")
        found += (ROOT / floor / "admin").glob("*.py")
    return sorted({path for path in found if path.exists()})
