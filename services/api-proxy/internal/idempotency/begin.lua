-- Begins a call, or renews the lease of the one who began it.
-- KEYS[1] record: a hash of request, owner and, once the call is made, verdict
-- KEYS[2] lease: there while the call is being made
-- ARGV[1] owner   ARGV[2] fingerprint of the request   ARGV[3] length of the lease in ms   ARGV[4] life of a record in ms
-- Returns {state, verdict}: state 1 fresh, 2 busy, 3 done, 4 unknown, 5 conflict.
local record = redis.call('HMGET', KEYS[1], 'request', 'owner', 'verdict')
if not record[1] then
  redis.call('HSET', KEYS[1], 'request', ARGV[2], 'owner', ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
  return {1, ''}
end
if record[1] ~= ARGV[2] then
  return {5, ''}
end
if record[3] then
  return {3, record[3]}
end
if record[2] == ARGV[1] then
  redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
  return {1, ''}
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  return {2, ''}
end
return {4, ''}
