-- Takes customer-service messages from what a follower allows, as Record.Spend and Record.Close do.
-- KEYS[1] record: a hash of kinds of triggers, each "<left> <end in Unix ms>"
-- ARGV[1] now in Unix ms   ARGV[2] 'one': from the allowance that ends first; 'all': nothing is left
local first, first_left, first_end
for _, kind in ipairs({'action', 'message'}) do
  local value = redis.call('HGET', KEYS[1], kind)
  local left, ends = string.match(value or '', '^(%d+) (%d+)$')
  if left and ARGV[2] == 'all' then
    redis.call('HSET', KEYS[1], kind, '0 ' .. ends)
  elseif left and tonumber(left) > 0 and tonumber(ends) > tonumber(ARGV[1])
    and not (first and tonumber(first_end) <= tonumber(ends)) then
    first, first_left, first_end = kind, tonumber(left), ends
  end
end
if first then
  redis.call('HSET', KEYS[1], first, string.format('%d %s', first_left - 1, first_end))
end
return redis.status_reply('OK')
