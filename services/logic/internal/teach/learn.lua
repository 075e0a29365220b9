-- Learns a question and its answer, or lets it wait for a moderator.
-- KEYS[1] lessons that are known: a hash by the key of the question   KEYS[2] lessons that wait, by id
-- KEYS[3] the last id   KEYS[4] what waits of this follower: a hash from the key of the question to the id
-- KEYS[5] what was said to this message
-- ARGV[1] life of KEYS[5] in ms, 0 for a message without a key   ARGV[2] how: wait, own or any
-- ARGV[3] the key of the question   ARGV[4] the lesson   ARGV[5] who teaches
-- ARGV[6] the most lessons   ARGV[7] the most that wait of one follower   ARGV[8] the most that wait
-- Returns learned, pending, taken, waiting or full.
local function learn()
  local known = redis.call('HGET', KEYS[1], ARGV[3])
  if not known and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[6]) then
    return 'full'
  end
  if ARGV[2] ~= 'wait' then
    if known and ARGV[2] == 'own' and cjson.decode(known).by ~= ARGV[5] then
      return 'taken'
    end
    redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
    return 'learned'
  end
  local waits = redis.call('HGET', KEYS[4], ARGV[3])
  if waits then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], waits, waits)
  elseif redis.call('HLEN', KEYS[4]) >= tonumber(ARGV[7]) or redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[8]) then
    return 'waiting'
  end
  -- A new id even for what is taught again: a moderator lets through what he saw under the old one, or nothing.
  local id = redis.call('INCR', KEYS[3])
  redis.call('ZADD', KEYS[2], id, ARGV[4])
  redis.call('HSET', KEYS[4], ARGV[3], id)
  return 'pending'
end

local said = redis.call('GET', KEYS[5])
if said then
  return said
end
local outcome = learn()
if tonumber(ARGV[1]) > 0 then
  redis.call('SET', KEYS[5], outcome, 'PX', ARGV[1])
end
return outcome
