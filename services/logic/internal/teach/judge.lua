-- Lets a lesson that waits through, or turns it away.
-- KEYS[1] lessons that are known: a hash by the key of the question   KEYS[2] lessons that wait, by id
-- KEYS[3] what waits of the follower who taught it   KEYS[4] what was said to this message
-- ARGV[1] life of KEYS[4] in ms, 0 for a message without a key   ARGV[2] approve or reject   ARGV[3] id
-- ARGV[4] the key of the question   ARGV[5] the lesson, empty if there was none   ARGV[6] the most lessons
-- Returns approved, rejected, absent or full.
local function judge()
  local waits = redis.call('ZRANGEBYSCORE', KEYS[2], ARGV[3], ARGV[3])
  if waits[1] ~= ARGV[5] then
    return 'absent'
  end
  if ARGV[2] == 'approve' then
    if redis.call('HEXISTS', KEYS[1], ARGV[4]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then
      return 'full'
    end
    redis.call('HSET', KEYS[1], ARGV[4], ARGV[5])
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[2], ARGV[3], ARGV[3])
  redis.call('HDEL', KEYS[3], ARGV[4])
  return ARGV[2] == 'approve' and 'approved' or 'rejected'
end

local said = redis.call('GET', KEYS[4])
if said then
  return said
end
local outcome = judge()
if tonumber(ARGV[1]) > 0 then
  redis.call('SET', KEYS[4], outcome, 'PX', ARGV[1])
end
return outcome
