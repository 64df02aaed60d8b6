import { redisScript } from "./redis-script.ts";

/**
 * One decision over all dimensions, in one piece.
 *
 * A counter is a hash of cost by part of the window: field `b` holds what was charged at ticks `b * width` up to
 * `(b + 1) * width`, and counts until `(b + span) * width`. With 63 parts to a window and a span of 64 these are the
 * sub-buckets that `limits/sub-buckets.ts` has in memory; with parts of one tick and a span of the window it is the exact
 * log of `limits/exact-log.ts`. A tick is a microsecond of the server's clock.
 *
 * The server's clock may step, or be another server's after a failover. Up to 10 s back the limiter's time stands still
 * until it has caught up. Further back it follows, and what lies in the future counts as charged now: later than it was,
 * so that nothing opens, and not for as long as the clock was wrong, so that nothing stays shut.
 *
 * KEYS: where the limiter keeps its time, then one counter per demand, all with one hash tag.
 * ARGV: 1 to charge without asking, else 0; then limit, cost, width and span of each demand.
 * Returns 1 if admitted, else 0; the tick; then per demand what counted before, the ticks until it fits (charged without
 * asking: until another 1 fits) and the ticks until the oldest that counts leaves the window.
 */
export const decideScript = redisScript(`
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local latest = tonumber(redis.call("GET", KEYS[1]) or "0")
if latest > now and latest - now <= 10000000 then
  now = latest
else
  redis.call("SET", KEYS[1], string.format("%.0f", now), "PX", 60000)
end

local isForced = ARGV[1] == "1"
local isAdmitted = true
local demands = {}

local function untilRoom(live, excess, span, width)
  if excess <= 0 then return 0 end
  for _, part in ipairs(live) do
    excess = excess - part.cost
    if excess <= 0 then return (part.number + span) * width - now end
  end
  return span * width
end

local function byAge(one, other) return one.number < other.number end

for i = 2, #KEYS do
  local at = (i - 2) * 4 + 1
  local limit, cost = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local width, span = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local current = math.floor(now / width)
  local live, gone, used, ahead = {}, {}, 0, 0
  local held = redis.call("HGETALL", KEYS[i])
  for j = 1, #held, 2 do
    local number, charged = tonumber(held[j]), tonumber(held[j + 1])
    if number + span <= current then
      gone[#gone + 1] = held[j]
    elseif number > current then
      redis.call("HDEL", KEYS[i], held[j])
      ahead = ahead + charged
    else
      live[#live + 1] = { number = number, cost = charged }
      used = used + charged
    end
  end
  local lifetime = math.ceil(span * width / 1000) + 60000
  if ahead > 0 then
    redis.call("HINCRBY", KEYS[i], string.format("%.0f", current), string.format("%.0f", ahead))
    redis.call("PEXPIRE", KEYS[i], string.format("%.0f", lifetime))
    live[#live + 1] = { number = current, cost = ahead }
    used = used + ahead
  end
  table.sort(live, byAge)
  local wait = untilRoom(live, used + cost - limit, span, width)
  if wait > 0 then isAdmitted = false end
  local oldest = live[1] and live[1].number or current
  demands[i] = {
    used = used, wait = wait, oldest = (oldest + span) * width - now, live = live, gone = gone,
    limit = limit, cost = cost, width = width, span = span, current = current, lifetime = lifetime,
  }
end

local answer = { (isAdmitted or isForced) and 1 or 0, now }
for i = 2, #KEYS do
  local one = demands[i]
  if isAdmitted or isForced then
    if isForced then
      local total = one.used + one.cost
      one.live[#one.live + 1] = { number = one.current, cost = one.cost }
      -- What no longer decides when there is room again is dropped, so that charges without asking take no more memory.
      while total - one.live[1].cost >= one.limit and #one.live > 1 do
        local first = table.remove(one.live, 1)
        total = total - first.cost
        one.gone[#one.gone + 1] = string.format("%.0f", first.number)
      end
      one.wait = untilRoom(one.live, total + 1 - one.limit, one.span, one.width)
    end
    if #one.gone > 0 then redis.call("HDEL", KEYS[i], unpack(one.gone)) end
    redis.call("HINCRBY", KEYS[i], string.format("%.0f", one.current), string.format("%.0f", one.cost))
    redis.call("PEXPIRE", KEYS[i], string.format("%.0f", one.lifetime))
  end
  answer[#answer + 1] = one.used
  answer[#answer + 1] = one.wait
  answer[#answer + 1] = one.oldest
end
return answer
`);

/**
 * Takes charges back out of the part of the window they were put in; what has left the window, or has been moved to the
 * present since, stays as it is.
 *
 * KEYS: one counter per charge. ARGV: part and cost of each.
 */
export const giveBackScript = redisScript(`
for i = 1, #KEYS do
  local held = tonumber(redis.call("HGET", KEYS[i], ARGV[2 * i - 1]) or "0")
  local cost = tonumber(ARGV[2 * i])
  if held > cost then
    redis.call("HINCRBY", KEYS[i], ARGV[2 * i - 1], string.format("%.0f", -cost))
  elseif held > 0 then
    redis.call("HDEL", KEYS[i], ARGV[2 * i - 1])
  end
end
return #KEYS
`);
