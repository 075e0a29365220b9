-- Uses one of an allowance, or tells how many milliseconds to wait.
-- KEYS[1] the count of the running span   KEYS[2] the count of the day
-- ARGV[1] allowed in a span   ARGV[2] its length in ms   ARGV[3] allowed in a day   ARGV[4] ms left of the day
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[3]) then
  return tonumber(ARGV[4])
end
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then
  local left = redis.call('PTTL', KEYS[1])
  if left < 1 then
    left = 1
  end
  return left
end
redis.call('INCR', KEYS[1])
redis.call('INCR', KEYS[2])
-- The first one sets the end; one that comes after all were given back must not move it.
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if redis.call('PTTL', KEYS[2]) < 0 then
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
return 0
