-- Takes customer-service messages from what a follower allows, as Record.Spend and Record.Close do.
-- KEYS[1] what actions allow   KEYS[2] what a message allows, each "<left> <end in Unix ms>"
-- ARGV[1] now in Unix ms   ARGV[2] 'one': from the allowance that ends first; 'all': nothing is left
local first, first_left, first_end
for _, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  local left, ends = string.match(value or '', '^(%d+) (%d+)$')
  if left and ARGV[2] == 'all' then
    redis.call('SET', key, '0 ' .. ends, 'KEEPTTL')
  elseif left and tonumber(left) > 0 and tonumber(ends) > tonumber(ARGV[1])
    and not (first and tonumber(first_end) <= tonumber(ends)) then
    first, first_left, first_end = key, tonumber(left), ends
  end
end
if first then
  redis.call('SET', first, string.format('%d %s', first_left - 1, first_end), 'KEEPTTL')
end
return redis.status_reply('OK')
