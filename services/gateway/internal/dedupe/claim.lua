-- Claims a message that has a record already, or renews the claim.
-- KEYS[1] record   KEYS[2] lease: the name of its owner
-- ARGV[1] owner   ARGV[2] length of a lease in ms   ARGV[3] life of a record in ms
-- Returns {state, age in ms, answer}: state 1 won, 2 pending, 3 answered.
--
-- The age is what is gone of the record's life, so no clock but this server's is ever asked.
local record = redis.call('GET', KEYS[1])
if not record then -- its life ended just now.
  redis.call('SET', KEYS[1], '?' .. ARGV[1], 'PX', ARGV[3])
  return {1, 0, ''}
end
local age = tonumber(ARGV[3]) - redis.call('PTTL', KEYS[1])
if record:sub(1, 1) == '=' then
  return {3, age, record:sub(2)}
end
local holder = redis.call('GET', KEYS[2])
if not holder and age < tonumber(ARGV[2]) then
  holder = record:sub(2) -- the first lease begins with the record and needs no key.
end
if holder and holder ~= '' and holder ~= ARGV[1] then
  return {2, age, ''}
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {1, age, ''}
