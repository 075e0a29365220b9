-- Renews the lease of jobs.
-- KEYS[1] stream
-- ARGV[1] owner   ARGV[2] idle time in ms that the jobs have afterwards   ARGV[3]… ids of entries
-- Returns the ids that are not the owner's any more.
local lost = {}
for i = 3, #ARGV do
  local pending = redis.pcall('XPENDING', KEYS[1], 'gateway', ARGV[i], ARGV[i], 1, ARGV[1])
  if pending.err or #pending == 0 then
    lost[#lost + 1] = ARGV[i]
  else
    redis.call('XCLAIM', KEYS[1], 'gateway', ARGV[1], 0, ARGV[i], 'IDLE', ARGV[2], 'JUSTID')
  end
end
return lost
