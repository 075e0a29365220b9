-- Stores a job and gives it to its owner, unless it is there already.
-- KEYS[1] stream   KEYS[2] job   KEYS[3] queue of the follower
-- ARGV[1] owner   ARGV[2] message key   ARGV[3] OpenID   ARGV[4] push   ARGV[5] policy
-- ARGV[6] life of the record in ms   ARGV[7]… parts of the answer
-- Returns the id of the entry, or an empty one if the job was there.
--
-- Adding and reading in one step makes the owner the only consumer that ever gets the entry as new.
if redis.call('EXISTS', KEYS[2]) == 1 then
  return ''
end
redis.pcall('XGROUP', 'CREATE', KEYS[1], 'gateway', '0', 'MKSTREAM')
local id = redis.call('XADD', KEYS[1], '*', 'key', ARGV[2])
redis.call('XREADGROUP', 'GROUP', 'gateway', ARGV[1], 'STREAMS', KEYS[1], '>')
redis.call('HSET', KEYS[2], 'id', id, 'openid', ARGV[3], 'push', ARGV[4], 'policy', ARGV[5], 'next', 0, 'parts', #ARGV - 6)
for i = 7, #ARGV do
  redis.call('HSET', KEYS[2], i - 7, ARGV[i])
end
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('RPUSH', KEYS[3], ARGV[2])
redis.call('PEXPIRE', KEYS[3], ARGV[6])
return id
