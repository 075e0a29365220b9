-- Forgets a lesson.
-- KEYS[1] lessons that are known: a hash by the key of the question   KEYS[2] what was said to this message
-- ARGV[1] life of KEYS[2] in ms, 0 for a message without a key   ARGV[2] the key of the question
-- Returns forgotten or absent.
local said = redis.call('GET', KEYS[2])
if said then
  return said
end
local outcome = redis.call('HDEL', KEYS[1], ARGV[2]) == 1 and 'forgotten' or 'absent'
if tonumber(ARGV[1]) > 0 then
  redis.call('SET', KEYS[2], outcome, 'PX', ARGV[1])
end
return outcome
