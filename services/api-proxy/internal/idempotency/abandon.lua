-- Ends the lease of a call that got no verdict. The record stays, and belongs to nobody.
-- KEYS[1] record   KEYS[2] lease
-- ARGV[1] owner
local record = redis.call('HMGET', KEYS[1], 'owner', 'verdict')
if record[1] ~= ARGV[1] or record[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'owner', '')
redis.call('DEL', KEYS[2])
return 1
