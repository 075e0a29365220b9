-- Stores the verdict of a call and ends the lease.
-- KEYS[1] record   KEYS[2] lease
-- ARGV[1] owner   ARGV[2] fingerprint of the request   ARGV[3] verdict   ARGV[4] life of a record in ms
--
-- The owner need not hold the lease any more: a verdict that is there is better than none. A record that
-- is gone, for example in a failover, is made again.
local record = redis.call('HMGET', KEYS[1], 'owner', 'verdict')
if record[2] or (record[1] and record[1] ~= ARGV[1]) then
  return 0
end
redis.call('HSET', KEYS[1], 'request', ARGV[2], 'owner', ARGV[1], 'verdict', ARGV[3])
if not record[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
redis.call('DEL', KEYS[2])
return 1
