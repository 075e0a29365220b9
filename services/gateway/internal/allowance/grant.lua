-- Writes what triggers allow. What other kinds of triggers allow stays, and so does a record until the last of them
-- ends. Options of PEXPIRE that do the same are newer than some servers.
-- KEYS[…] records: hashes   ARGV[…] three for each: field message, field action, both empty for none, and how long this
-- is worth keeping, in ms
for i, record in ipairs(KEYS) do
  local message, action, life = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  if action ~= '' then
    redis.call('HSET', record, 'action', action)
  end
  if message ~= '' then
    redis.call('HSET', record, 'message', message)
    redis.call('PEXPIRE', record, life) -- nothing lasts longer.
  elseif redis.call('PTTL', record) < tonumber(life) then
    redis.call('PEXPIRE', record, life)
  end
end
return #KEYS
