-- Appends a turn to a conversation, unless the same message was answered already: then that answer is returned.
-- KEYS: the list of turns. ARGV: turn as JSON, message key, how many turns to keep, milliseconds to keep them.
if ARGV[2] ~= '' then
  for _, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    local ok, turn = pcall(cjson.decode, entry)
    if ok and turn.key == ARGV[2] then
      return turn.answer
    end
  end
end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[3]), -1)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return false
