-- Forgets a call that was not made.
-- KEYS[1] record   KEYS[2] lease
-- ARGV[1] owner
local record = redis.call('HMGET', KEYS[1], 'owner', 'verdict')
if record[1] ~= ARGV[1] or record[2] then
  return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
return 1
