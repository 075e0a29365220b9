-- Takes the next generation. One script, so that two replicas never take the same.
-- KEYS[1] the counter
-- ARGV[1] a number that the generation must exceed: it carries the counter over a loss of Redis's data
local counter = tonumber(redis.call('GET', KEYS[1]) or '0')
local above = tonumber(ARGV[1])
if above > counter then
  counter = above
end
counter = counter + 1
redis.call('SET', KEYS[1], string.format('%.0f', counter))
return counter
