-- Takes a dialogue a step further, unless another message has done so meanwhile.
-- KEYS[1] record of the follower
-- ARGV[1] the record that was read, empty for none   ARGV[2] the new one   ARGV[3] its life in ms
-- Returns {1, ''}, or {0, the record that is there}. One that has lapsed since it was read is in nobody's way.
local there = redis.call('GET', KEYS[1])
if there and there ~= ARGV[1] then
  return {0, there}
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return {1, ''}
