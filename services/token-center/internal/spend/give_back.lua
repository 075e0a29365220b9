-- Returns one of an allowance.
-- KEYS[1] the count of the running span   KEYS[2] the count of the day
for i = 1, 2 do
  -- A count that has lapsed meanwhile must not come back without an end.
  if tonumber(redis.call('GET', KEYS[i]) or '0') > 0 then
    redis.call('DECR', KEYS[i])
  end
end
return 0
