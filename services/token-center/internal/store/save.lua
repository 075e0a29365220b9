-- Saves a credential unless a newer generation is there, and tells the watchers.
-- KEYS[1] the credential, a hash
-- KEYS[2] the counter of generations: raised where a value is written back after a loss of Redis's data
-- ARGV[1] generation   ARGV[2] value, sealed or plain   ARGV[3] obtained at, Unix milliseconds
-- ARGV[4] expires at, Unix milliseconds   ARGV[5] the channel to tell
-- Returns 1 when saved, 0 when stale.
local generation = tonumber(ARGV[1])
local stored = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')
if stored and stored > generation then
  return 0
end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'value', ARGV[2], 'obtained_at', ARGV[3], 'expires_at', ARGV[4])
local counter = tonumber(redis.call('GET', KEYS[2]) or '0')
if counter < generation then
  redis.call('SET', KEYS[2], ARGV[1])
end
redis.call('PUBLISH', ARGV[5], ARGV[1])
return 1
