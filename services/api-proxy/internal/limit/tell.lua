-- Notes what WeChat says of an endpoint.
-- KEYS[1] ledger of the day   KEYS[2] daily limits that WeChat told
-- ARGV[1] endpoint   ARGV[2] daily limit   ARGV[3] calls that it counted   ARGV[4] life of the ledger in ms
-- ARGV[5] life of the limits in ms
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
if tonumber(ARGV[3]) > tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
