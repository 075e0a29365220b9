-- Writes what a trigger allows. What other kinds of triggers allow stays, and so does the record until the last
-- of them ends. Options of PEXPIRE that do the same are newer than some servers.
-- KEYS[1] record: a hash   ARGV[1] how long this is worth keeping, in ms   ARGV[2]... fields and values
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return redis.status_reply('OK')
