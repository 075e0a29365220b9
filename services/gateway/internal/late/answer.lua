-- Stores the answer of a job.
-- KEYS[1] stream   KEYS[2] job
-- ARGV[1] owner   ARGV[2] id of the entry   ARGV[3]… parts
-- Returns 1, or 0 if the job is not the owner's any more.
local pending = redis.pcall('XPENDING', KEYS[1], 'gateway', ARGV[2], ARGV[2], 1, ARGV[1])
if pending.err or #pending == 0 or redis.call('EXISTS', KEYS[2]) == 0 then
  return 0
end
for i = 3, #ARGV do
  redis.call('HSET', KEYS[2], i - 3, ARGV[i])
end
redis.call('HSET', KEYS[2], 'parts', #ARGV - 2)
return 1
