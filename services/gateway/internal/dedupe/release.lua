-- Ends the owner's lease, also the one that began with the record.
-- KEYS[1] record   KEYS[2] lease
-- ARGV[1] owner
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
end
if redis.call('GET', KEYS[1]) == '?' .. ARGV[1] then
  redis.call('SET', KEYS[1], '?', 'KEEPTTL')
end
return 1
