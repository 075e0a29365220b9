-- Claims a message, or renews the claim.
-- KEYS[1] record: empty while there is no answer, then the answer
-- KEYS[2] lease: the name of its owner
-- ARGV[1] owner   ARGV[2] length of the lease in ms   ARGV[3] life of a record in ms
-- Returns {state, age in ms, answer}: state 1 won, 2 pending, 3 answered.
--
-- The age is what is gone of the record's life, so no clock but this server's is ever asked.
local new = redis.call('SET', KEYS[1], '', 'NX', 'PX', ARGV[3])
if new and redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {1, 0, ''} -- most messages are delivered once.
end
local answer = redis.call('GET', KEYS[1])
local age = tonumber(ARGV[3]) - redis.call('PTTL', KEYS[1])
if answer ~= '' then
  return {3, age, answer}
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {1, age, ''}
end
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return {1, age, ''}
end
return {2, age, ''}
