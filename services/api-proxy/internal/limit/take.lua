-- Takes one call from every bucket and writes it into the ledger, or changes nothing.
-- KEYS[1] ledger of the day: a hash of calls by endpoint, and by endpoint and caller
-- KEYS[2] what WeChat told: a hash of daily limits by endpoint
-- KEYS[3…] buckets: hashes of calls (how many it held) and at (when, in µs)
-- ARGV[1] endpoint   ARGV[2] endpoint and caller   ARGV[3] its daily limit as far as known, or 0
-- ARGV[4] the caller's calls a day at most, or 0   ARGV[5] the same in ‰ of the limit, or 0
-- ARGV[6] what must be left of the limit in ‰, or 0   ARGV[7] life of the ledger in ms
-- ARGV[8…] for each bucket: calls per µs, burst, calls to be left
-- Returns {by, retry, used, used by the caller, limit}: by is -1 for allowed, -2 and -3 for the day, otherwise the
-- index of a bucket from 0; retry is in µs.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local used = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
local mine = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or 0)
local limit = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or ARGV[3])
local own, share, leave = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local bounded = own > 0
if share > 0 and limit > 0 then
  local part = math.floor(limit * share / 1000)
  if not bounded or part < own then
    own = part
  end
  bounded = true
end
if bounded and mine >= own then
  return {-2, 0, used, mine, limit}
end
if leave > 0 and limit > 0 and used >= limit - math.floor(limit * leave / 1000) then
  return {-3, 0, used, mine, limit}
end

local levels = {}
for i = 3, #KEYS do
  local arg = 8 + (i - 3) * 3
  local rate, burst, left = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local bucket = redis.call('HMGET', KEYS[i], 'calls', 'at')
  local calls = burst
  if bucket[1] then
    calls = math.min(burst, tonumber(bucket[1]) + math.max(0, now - tonumber(bucket[2])) * rate)
  end
  if calls < left + 1 then
    return {i - 3, math.ceil((left + 1 - calls) / rate), used, mine, limit}
  end
  levels[i] = calls - 1
end

for i = 3, #KEYS do
  local arg = 8 + (i - 3) * 3
  redis.call('HSET', KEYS[i], 'calls', string.format('%.9f', levels[i]), 'at', string.format('%.0f', now))
  -- A full bucket is as good as none.
  redis.call('PEXPIRE', KEYS[i], math.ceil(tonumber(ARGV[arg + 1]) / tonumber(ARGV[arg]) / 1000) + 1000)
end
used = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
mine = redis.call('HINCRBY', KEYS[1], ARGV[2], 1)
redis.call('PEXPIRE', KEYS[1], ARGV[7])
return {-1, 0, used, mine, limit}
