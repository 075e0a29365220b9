-- Takes over jobs whose owners have been silent.
-- KEYS[1] stream   KEYS[2] prefix of jobs
-- ARGV[1] owner   ARGV[2] silence in ms   ARGV[3] how many at most; those that are left are for the next call
-- Returns for each job its entry's id, message key, time in ms that the record still lives, and the record as
-- a flat list of fields and values. The list is empty if the record has ended.
local taken = {}
local cursor = '0-0'
repeat
  local got = redis.pcall('XAUTOCLAIM', KEYS[1], 'gateway', ARGV[1], ARGV[2], cursor, 'COUNT', ARGV[3])
  if got.err then
    return taken -- no stream, thus no jobs
  end
  cursor = got[1]
  for _, entry in ipairs(got[2]) do
    local key = entry[2][2]
    local job = KEYS[2] .. key
    taken[#taken + 1] = {entry[1], key, redis.call('PTTL', job), redis.call('HGETALL', job)}
  end
until cursor == '0-0' or #taken >= tonumber(ARGV[3])
return taken
