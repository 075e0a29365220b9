-- Stores the answer of a message unless it has one, and ends the owner's lease.
-- KEYS[1] record   KEYS[2] lease
-- ARGV[1] owner   ARGV[2] answer   ARGV[3] life of a record in ms
-- Returns the answer that counts, the first: 1 says that it is the owner's, to spare its way back.
--
-- The owner need not hold the lease any more: an answer that is there is better than none.
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
end
local present = redis.call('GET', KEYS[1])
if present and present ~= '' then
  return present
end
if present then
  redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
