-- Gives a follower's text the next part of the oldest answer.
-- KEYS[1] stream   KEYS[2] queue of the follower   KEYS[3] prefix of jobs
-- ARGV[1] message key of the text   ARGV[2] life in ms of the record of a job that is over
-- Returns {state, part, last}: state 0 nothing is due, 1 an answer is due but not there, 2 here is a part;
-- last is 1 when the part completes the answer and is given for the first time.
--
-- A part stays until another text asks, since the text that got it may be delivered again. What is left of
-- the record then tells the job's owner that nothing is to be done any more.
while true do
  local oldest = redis.call('LINDEX', KEYS[2], 0)
  if not oldest then
    return {0, '', 0}
  end
  local job = KEYS[3] .. oldest
  local id, parts, following, by = unpack(redis.call('HMGET', job, 'id', 'parts', 'next', 'by'))
  if by == ARGV[1] then
    return {2, redis.call('HGET', job, following - 1), 0}
  end
  if id and parts == '0' then
    return {1, '', 0}
  end
  if id and following ~= parts then
    redis.call('HSET', job, 'next', following + 1, 'by', ARGV[1])
    local last = following + 1 == tonumber(parts)
    return {2, redis.call('HGET', job, following), last and 1 or 0}
  end
  redis.call('LPOP', KEYS[2])
  if id then
    redis.call('XACK', KEYS[1], 'gateway', id)
    redis.call('XDEL', KEYS[1], id)
    redis.call('PEXPIRE', job, ARGV[2])
  end
end
