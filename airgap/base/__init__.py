"""The base of every stand-in provider: write the resources, the schema does the rest.

How to write a provider `NAME`:

1. `airgap/schemas/NAME.json`: the official schema, cut down to the resources supported:
   `python -m airgap.base.trim OFFICIAL.json NAME VERSION TOKEN... > airgap/schemas/NAME.json`.
2. One file a resource, methods in lifecycle order::

       class Thing(Resource):
           defaults = {"length": 8}            # what the official provider fills in (recorded in `__defaults`)
           computed = frozenset({"seed"})      # inputs that the object decides itself when omitted: never a difference
           unordered = frozenset({"labels"})   # lists that are sets
           unsupported = {"keepers": "use triggers"}   # input paths refused by name
           autoname = "name"                   # gets `<logical name>-<hex>` when omitted
           state_version = 2                   # the official schema version of the state

           def check(self, context, inputs, old_inputs) -> list[Failure]: ...   # rules beyond the schema
           def diff(self, context, id, state, old_inputs, inputs) -> Diff: ...  # only to add to the generic one
           def create(self, context, inputs) -> Created: ...
           def read(self, context, id, state, inputs) -> Found | None: ...      # None = definitely gone
           def update(self, context, id, state, old_inputs, inputs) -> dict: ...
           def delete(self, context, id, state) -> None: ...

3. `airgap/NAME/__main__.py`::

       main(ProviderSpec("NAME", "1.2.3", {TOKEN: "airgap.NAME.thing:Thing"}, connect="airgap.NAME.client:connect"))

   Modules are imported on first use, so nothing heavy at the top of `__main__`. `connect(config) -> client` is called
   once, also on first use; resources find the result in `context.client`.

What the base does:

- Values are plain Python (dict, list, str, bool, int, float) under the names of the wire (camelCase). Nulls,
  `__defaults` and `__meta` never arrive. What a preview does not know is `UNKNOWN` (ask `has_unknown`), at any depth;
  it reaches `check` and `diff` only. Create and update during a preview never call the resource: `Resource.planned`
  answers.
- Secrets arrive unwrapped. The engine marks outputs whose input was secret; the base marks what the schema calls
  secret.
- Check: unknown properties (nested ones, too, with the closest match), wrong types, missing and unsupported ones are
  refused under their real path; defaults and automatic names are filled in.
- Diff: wanted inputs against the *state*, down to nested paths; replacement comes from the schema. Implement
  `normalise` where the state writes a value in another form than the user. `computed` inputs that are omitted are no
  difference; other omitted inputs are compared with "empty" (null, false, 0, "", [], {} are one). Old inputs stand in
  for state that is silent.
- Create and update: the state is inputs + what the resource returns, cut to the outputs that the official schema
  knows, so that the official provider can read it.
- Read: return `Found(state)`; the inputs are derived (the old ones where they still hold). On an import `state` and
  `inputs` are empty and every non-empty input is taken from the state, or give `Found(state, inputs=...)`.
- Every call runs in a thread of its own: block freely, and wait with `context.pause(seconds)`, which Ctrl-C ends.
- `context.info/warning/debug` are diagnostics on the resource, `context.progress` is a passing status.
- Expected failures: `raise ProviderError("lower-case fact with cause", hint="what to do")`; `InitFailed(...)` when
  the object exists but did not become usable. Everything else is a bug and shown with its traceback.
- The process ends with its engine, also after `kill -9`, and quietly.
"""

from __future__ import annotations

from airgap.base.check import Failure
from airgap.base.diff import Change, Diff, Kind
from airgap.base.errors import Cancelled, InitFailed, ProviderError
from airgap.base.provider import ProviderSpec
from airgap.base.resource import Context, Created, Found, Resource
from airgap.base.server import main
from airgap.base.values import UNKNOWN, Properties, has_unknown, is_empty

__all__ = [
    "UNKNOWN",
    "Cancelled",
    "Change",
    "Context",
    "Created",
    "Diff",
    "Failure",
    "Found",
    "InitFailed",
    "Kind",
    "Properties",
    "ProviderError",
    "ProviderSpec",
    "Resource",
    "has_unknown",
    "is_empty",
    "main",
]
