-- Forgets a job.
-- KEYS[1] stream   KEYS[2] job   KEYS[3] queue of the follower
-- ARGV[1] id of the entry   ARGV[2] message key
-- Returns 1 if all parts had been picked, else 0.
local parts, following, by = unpack(redis.call('HMGET', KEYS[2], 'parts', 'next', 'by'))
redis.call('XACK', KEYS[1], 'gateway', ARGV[1])
redis.call('XDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('LREM', KEYS[3], 0, ARGV[2])
if by and parts == following then
  return 1
end
return 0
