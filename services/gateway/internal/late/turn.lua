-- Tells whether a job is the oldest of its follower.
-- KEYS[1] queue of the follower   KEYS[2] prefix of jobs
-- ARGV[1] message key
-- Returns 1 or 0.
while true do
  local oldest = redis.call('LINDEX', KEYS[1], 0)
  if not oldest or oldest == ARGV[1] then
    return 1
  end
  if redis.call('EXISTS', KEYS[2] .. oldest) == 1 then
    return 0
  end
  redis.call('LPOP', KEYS[1])
end
