-- Holds a client back until exactly one member says that it is the primary, 5 seconds at most.
--
-- While a failover goes on nobody is the primary, and a member whose name resolves again counts as up until its first
-- check. HAProxy's own rules look when a client says something and when its time is up, not in between: a fixed wait
-- would refuse whoever comes a moment early and delay everybody else for nothing.

local LIMIT_S = 5
local LOOK_AGAIN_MS = 50

core.register_action("wait_for_one_primary", { "tcp-req" }, function(txn)
  local deadline = core.now().sec + LIMIT_S
  while txn.f:nbsrv("primary") ~= 1 and core.now().sec < deadline do
    core.msleep(LOOK_AGAIN_MS)
  end
end)
