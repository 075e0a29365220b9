-- Ends the owner's lease.
-- KEYS[1] lease
-- ARGV[1] owner
-- Returns 1 if the owner held it, else 0.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
