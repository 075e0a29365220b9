-- Stores the answer of a message unless it has one.
-- KEYS[1] record
-- ARGV[1] answer   ARGV[2] life of a record in ms
-- Returns the answer that counts, the first: 1 says that it is this one, to spare its way back.
--
-- Nobody looks at the lease of a message that has an answer, so it may lapse by itself. Who stores need not
-- hold it any more: an answer that is there is better than none.
local before = redis.call('SET', KEYS[1], '=' .. ARGV[1], 'XX', 'GET', 'KEEPTTL')
if not before then
  redis.call('SET', KEYS[1], '=' .. ARGV[1], 'PX', ARGV[2])
elseif before:sub(1, 1) == '=' then
  redis.call('SET', KEYS[1], before, 'KEEPTTL')
  return before:sub(2)
end
return 1
